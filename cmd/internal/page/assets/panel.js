// The details of one layer, or of several that are drawn as one.

function element(tag, attributes, ...children) {
  const e = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) e.setAttribute(name, value);
  e.append(...children);
  return e;
}

function exact(key, bytes, text) {
  return element("b", {"data-key": key, "data-bytes": bytes}, text || size(bytes));
}

function users(forest, node) {
  return forest.rows.slice(node.first, node.last + 1).map(row => row.ref);
}

const MANY = 100; // names or layers, more than a panel is for

function list(items, one) {
  const ul = element("ul", {}, ...items.slice(0, MANY).map(item => element("li", {}, one(item))));
  if (items.length > MANY) ul.append(element("li", {}, items.length - MANY + " more"));
  return ul;
}

// showLayer fills the panel. Pinned is whether it stays when the pointer moves on.
function showLayer(panel, forest, node, pinned, together) {
  const {data} = node;
  panel.dataset.chain = data.chainID;
  panel.classList.remove("empty");
  const facts = element("dl", {});
  const fact = (name, ...value) => facts.append(element("dt", {}, name), element("dd", {}, ...value));
  fact("Size", exact("size", data.size, sizeOf(data)), data.size < 1000 ? "" : ` (${data.size.toLocaleString("en")} B)`,
    data.estimated ? element("span", {"data-key": "estimated"}, "estimated: what is left of the image, not what the engine says of the layer") : "");
  const refs = users(forest, node);
  fact(refs.length === 1 ? "Used by one image" : `Used by ${refs.length} images`, list(refs, familiar));
  const kids = count(node.kids.length, "branch").replace("branchs", "branches");
  fact("On top of it", exact("above", data.above), node.kids.length > 0 ? " in " + kids : "");
  fact("Below it", exact("below", node.start), " in " + count(node.depth - 1, "layer"));
  fact("Diff ID", element("code", {"data-key": "diff"}, data.diffID));
  fact("Chain ID", element("code", {"data-key": "chain"}, data.chainID));
  panel.replaceChildren(
    heading(forest, pinned),
    element("pre", {"data-key": "by"}, data.by || "nobody says what made this layer"),
    together > 1 ? element("p", {class: "note"}, `one of ${together} smaller layers that are drawn as one`) : "",
    facts);
}

// showGroup fills the panel with layers that are drawn as one; choose is called
// with the one that is clicked.
function showGroup(panel, forest, nodes, pinned, choose) {
  delete panel.dataset.chain;
  panel.classList.remove("empty");
  const bytes = nodes.reduce((n, node) => n + node.data.size, 0);
  panel.replaceChildren(
    heading(forest, pinned),
    element("p", {}, count(nodes.length, "smaller layer") + ", ", exact("size", bytes)),
    list(nodes, node => {
      const b = element("button", {type: "button", class: "link"}, `${sizeOf(node.data)}  ${node.data.by || short(node.data.diffID)}`);
      b.addEventListener("click", () => choose(node));
      return b;
    }));
}

function showNothing(panel) {
  delete panel.dataset.chain;
  panel.classList.add("empty");
  panel.replaceChildren(element("p", {class: "note"}, "Point at a layer, or walk with the arrow keys, to see what it is."));
}

function heading(forest, pinned) {
  return element("h3", {}, "Layer in " + forest.manager, pinned ? element("span", {class: "pin"}, "kept") : "");
}

function short(id) {
  return id.replace(/^sha256:/, "").slice(0, 12);
}

// layerTable returns every layer of a store, from the base up.
function layerTable(forest) {
  const cell = (label, value, attributes = {}) => element("td", {"data-label": label, ...attributes}, value);
  const body = element("tbody", {}, ...forest.nodes.map(({depth, data}) => element("tr", {"data-chain": data.chainID},
    cell("Layers below", depth - 1, {class: "n"}),
    cell("Size", sizeOf(data), {class: "n", "data-bytes": data.size}),
    cell("Images", data.images, {class: "n"}),
    cell("Made by", element("code", {}, data.by || "–")),
    cell("Diff ID", element("code", {}, data.diffID)),
    cell("Topmost of", (data.refs || ["–"]).map(familiar).join(", ")))));
  const names = ["Layers below", "Size", "Images", "Made by", "Diff ID", "Topmost of"];
  return element("table", {},
    element("caption", {}, "Layers, from the base up"),
    element("thead", {}, element("tr", {}, ...names.map(name => element("th", {scope: "col"}, name)))),
    body);
}
