// One store to scale. Only the rows in sight are in the document, so it does
// not matter how many there are.

const MARK = 3; // pixels; the least that a box is wide, however few its bytes
const PRINTED = 400; // rows on paper

class Chart {
  // page has whatif, and show(chart, place, segment, pin).
  constructor(forest, number, page) {
    Object.assign(this, {forest, number, page, drawn: [], at: null, scale: 0, printing: false});
    this.axis = element("div", {class: "axis", "aria-hidden": "true"});
    this.rows = element("div", {class: "rows", role: "none"});
    this.tree = element("div", {
      class: "tree", role: "tree", tabindex: 0, "aria-label": `Layers in ${forest.manager}`, "aria-describedby": "help",
    }, this.rows);
    this.figure = element("figure", {"data-manager": forest.manager},
      element("figcaption", {}, element("b", {}, forest.manager), ` ${count(forest.rows.length, "image")}, ${count(forest.nodes.length, "layer")}`),
      this.axis, this.tree);
    this.tree.addEventListener("scroll", () => {
      if (this.moved()) this.soon();
    });
    this.tree.addEventListener("pointerover", e => this.point(e, false));
    this.tree.addEventListener("click", e => this.point(e, true));
    this.tree.addEventListener("keydown", e => this.press(e));
    this.tree.addEventListener("focus", () => {
      if (!this.at && forest.nodes.length > 0 && this.tree.matches(":focus-visible")) page.show(this, placeOf(forest, forest.nodes[0]));
    });
  }

  // soon draws before the next frame, once.
  soon() {
    this.waiting ??= requestAnimationFrame(() => {
      this.waiting = null;
      this.draw();
    });
  }

  // draw puts the rows in sight into the document. Widest is the bytes that the
  // whole width stands for, the same in all charts.
  draw(widest = this.widest) {
    const style = getComputedStyle(this.figure), height = parseFloat(style.getPropertyValue("--row"));
    const width = this.tree.clientWidth - parseFloat(style.getPropertyValue("--label"));
    Object.assign(this, {widest, height, width, scale: width / Math.max(widest, 1), drawn: []});
    const {rows} = this.forest;
    this.rows.style.height = `calc(var(--row) * ${this.printing ? Math.min(PRINTED, rows.length) : rows.length})`;
    this.shown = this.range();
    this.rows.replaceChildren(...rows.slice(...this.shown).map(row => this.row(row)));
    this.drawAxis();
    this.mark();
  }

  // range returns the first row to draw and the one after the last: those in
  // sight and, so that a short way needs no drawing, some more.
  range() {
    if (this.printing) return [0, PRINTED];
    const {scrollTop, clientHeight} = this.tree, some = 4;
    const from = Math.floor(scrollTop / this.height / some), to = Math.ceil((scrollTop + clientHeight) / this.height / some);
    return [from * some, to * some];
  }

  moved() {
    return String(this.range()) !== String(this.shown);
  }

  row(row) {
    const {whatif} = this.page, adds = whatif ? row.top.end : row.fresh;
    const bar = element("div", {class: "bar", role: "none"}, ...segments(row, this.scale, whatif).map(s => this.segment(row, s)));
    const e = element("div", {class: "row", role: "none", "data-ref": row.ref},
      element("div", {class: "label", "aria-hidden": "true", title: row.ref},
        element("span", {}, row.ref.slice(row.ref.lastIndexOf("/") + 1)), element("b", {"data-bytes": adds}, (whatif ? "" : "+ ") + size(adds))),
      bar);
    e.style.top = `calc(var(--row) * ${row.index})`; // paper may have another height than the screen
    return e;
  }

  segment(row, segment) {
    const {kind, small, nodes, start, end} = segment, node = nodes[0];
    const width = Math.max((end - start) * this.scale, MARK);
    const e = element("div", {class: `seg ${kind}${small ? " few" : ""}`, "data-bytes": end - start});
    e.style.left = `min(${this.percent(start)}, 100% - ${MARK}px)`;
    e.style.width = `max(${this.percent(end - start)}, ${MARK}px)`;
    if (kind === "ghost") {
      e.setAttribute("aria-hidden", "true"); // the same layer as further up, and not stored here
    } else {
      e.textContent = this.text(nodes, width);
      e.id = `layer-${this.number}-${row.index}-${node.index}`;
      e.setAttribute("role", "treeitem");
      this.describe(e, row, segment, node);
    }
    this.drawn.push({e, row, segment});
    return e;
  }

  percent(bytes) {
    return 100 * bytes / Math.max(this.widest, 1) + "%";
  }

  // text is what fits into a box; a size that is cut would be another size.
  text(nodes, width) {
    const [{data}] = nodes, fits = text => text.length * 7 + 14 < width;
    const brief = nodes.length > 1 ? `${nodes.length} ×` : sizeOf(data);
    if (!fits(brief)) return "";
    const whole = nodes.length > 1 ? count(nodes.length, "smaller layer") : `${brief}  ${data.by || ""}`;
    return fits(whole.slice(0, brief.length + 6)) ? whole : brief;
  }

  // describe says what a box is to those who do not see it.
  describe(e, row, {nodes}, node) {
    const {whatif} = this.page, {rows} = this.forest;
    e.setAttribute("aria-level", whatif ? node.depth + 1 : node.depth);
    e.setAttribute("aria-posinset", whatif && !node.parent ? row.index + 1 : node.place + 1);
    e.setAttribute("aria-setsize", whatif && !node.parent ? rows.length : node.places);
    const many = nodes.length > 1 ? `, one of ${nodes.length} smaller layers` : "";
    const used = whatif ? familiar(row.ref) : "used by " + count(node.last - node.first + 1, "image");
    const top = (node.data.refs || []).map(ref => ", the top of " + familiar(ref)).join("");
    e.setAttribute("aria-label", `${node.data.by || short(node.data.diffID)}, ${sizeOf(node.data)}, ${used}${top}${many}`);
  }

  // mark shows which layer is chosen.
  mark() {
    this.tree.removeAttribute("aria-activedescendant");
    for (const e of this.rows.querySelectorAll(".on")) {
      e.classList.remove("on", "at");
      e.removeAttribute("aria-selected");
    }
    if (this.at === null) return;
    for (const {e, row, segment} of this.drawn) {
      if (!segment.nodes.includes(this.at.node)) continue;
      e.classList.add("on");
      if (row !== this.at.row) continue;
      e.classList.add("at");
      e.setAttribute("aria-selected", true);
      this.describe(e, row, segment, this.at.node);
      this.tree.setAttribute("aria-activedescendant", e.id);
    }
  }

  // choose marks a place, or none, and returns its box when that is in sight.
  choose(place, reveal) {
    this.at = place;
    if (place && reveal) {
      const top = place.row.index * this.height, view = this.tree.clientHeight;
      if (top < this.tree.scrollTop) this.tree.scrollTop = top;
      if (top + this.height > this.tree.scrollTop + view) this.tree.scrollTop = top + this.height - view;
      if (this.moved()) this.draw();
    }
    this.mark();
    const found = place && this.drawn.find(({row, segment}) => row === place.row && segment.nodes.includes(place.node));
    if (found && reveal) found.e.scrollIntoView({block: "nearest"});
    return found ? found.segment : null;
  }

  point(event, pin) {
    const found = this.drawn.find(({e}) => e === event.target);
    if (!found) return;
    const node = found.segment.nodes[0];
    const place = found.segment.kind === "ghost" ? placeOf(this.forest, node) : {row: found.row, node};
    this.page.show(this, place, {segment: found.segment, pin, pointed: true});
  }

  press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Enter" || event.key === " ") {
      if (this.at) this.page.show(this, this.at, {pin: true});
    } else if (event.key === "Escape") {
      this.page.clear();
    } else if (/^(Arrow(Left|Right|Up|Down)|Home|End)$/.test(event.key)) {
      const start = this.forest.nodes[0];
      const to = this.at ? walk(this.forest, this.at, event.key, this.page.whatif) : start && placeOf(this.forest, start);
      if (to) this.page.show(this, to, {reveal: true});
    } else {
      return;
    }
    event.preventDefault();
  }

  drawAxis() {
    const least = 90 / this.scale, power = 10 ** Math.floor(Math.log10(least));
    const step = [1, 2, 5, 10].map(n => n * power).find(n => n >= least);
    const ticks = [];
    for (let n = 0; n <= this.widest; n += step) {
      const tick = element("span", {}, n > 0 ? size(n) : "0");
      tick.style.left = this.percent(n);
      if (n === 0 || this.width - n * this.scale > 60) ticks.push(tick);
    }
    this.axis.replaceChildren(...ticks);
  }
}
