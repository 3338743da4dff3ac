// The page: its charts, and what the buttons do.

const doc = JSON.parse(document.getElementById("document").textContent);
const $ = id => document.getElementById(id);
const forests = (doc.stores || []).map(plant);
const widest = forests.reduce((n, forest) => Math.max(n, forest.widest), 0);

const page = {
  whatif: false,
  pinned: null, // the node that stays in the panel

  // show puts a layer into the panel. A pinned one stays there until another
  // is pinned or walked to.
  show(chart, place, {segment = null, pin = false, pointed = false, reveal = false} = {}) {
    const same = this.pinned === place.node;
    if (this.pinned && pointed && !pin) return;
    this.pinned = pin && !same ? place.node : null;
    for (const other of charts) if (other !== chart) other.choose(null);
    const box = chart.choose(place, reveal) || segment;
    const {nodes} = segment || box || {nodes: [place.node]};
    const pinned = this.pinned !== null;
    if (pointed && nodes.length > 1) {
      showGroup($("panel"), chart.forest, nodes, pinned, node => this.show(chart, {row: place.row, node}, {pin: true, reveal: true}));
    } else {
      showLayer($("panel"), chart.forest, place.node, pinned, box ? box.nodes.length : 1);
    }
  },

  clear() {
    this.pinned = null;
    for (const chart of charts) chart.choose(null);
    showNothing($("panel"));
  },
};

const charts = forests.map((forest, i) => new Chart(forest, i, page));

function draw() {
  for (const chart of charts) chart.draw(widest);
  $("picture").dataset.view = page.whatif ? "whatif" : "shared";
  const bytes = forests.reduce((n, forest) => n + drawn(forest, page.whatif), 0);
  $("drawn").replaceChildren("Drawn solid: ", exact("drawn", bytes), page.whatif ? " if nothing were shared" : " as stored");
}

function showAll(button, forest) {
  button.nextElementSibling.replaceWith(layerTable(forest));
  button.remove();
}

function setUp() {
  $("charts").append(...charts.filter(chart => chart.forest.rows.length > 0).map(chart => chart.figure));
  $("picture").hidden = widest === 0;
  showNothing($("panel"));
  $("whatif").addEventListener("change", e => {
    page.whatif = e.target.checked;
    page.clear();
    draw();
  });
  document.querySelectorAll(".layers > .all").forEach((button, i) => {
    button.hidden = forests[i].nodes.length === 0;
    button.addEventListener("click", () => showAll(button, forests[i]));
  });
  for (const button of document.querySelectorAll("#advice button")) {
    const {manager, chain} = button.dataset, named = node => node.data.chainID === chain;
    const i = forests.findIndex(forest => (!manager || forest.manager === manager) && forest.nodes.some(named));
    if (i < 0) continue;
    const node = forests[i].nodes.find(named);
    button.hidden = false;
    button.addEventListener("click", () => {
      charts[i].tree.focus({preventScroll: true});
      page.show(charts[i], placeOf(forests[i], node), {pin: true, reveal: true});
    });
  }
}

function setUpTheme() {
  const button = $("theme"), dark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (document.documentElement.dataset.theme || (dark.matches ? "dark" : "light")) === "dark";
  const say = () => button.textContent = isDark() ? "Light" : "Dark";
  button.hidden = false;
  button.addEventListener("click", () => {
    document.documentElement.dataset.theme = isDark() ? "light" : "dark";
    say();
  });
  dark.addEventListener("change", say);
  say();
}

// On paper nothing can be scrolled or asked for.
function setUpPrint() {
  const print = printing => {
    if (printing) document.querySelectorAll(".layers > .all").forEach(button => showAll(button, forests.find(f => f.manager === button.closest(".store").dataset.manager)));
    for (const chart of charts) chart.printing = printing;
    draw();
  };
  addEventListener("beforeprint", () => print(true));
  addEventListener("afterprint", () => print(false));
}

setUp();
setUpTheme();
setUpPrint();
draw();
performance.measure("drawn", "begun"); // for a test, and for who wonders
new ResizeObserver(() => charts.forEach(chart => chart.soon())).observe($("charts"));
