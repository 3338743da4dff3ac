performance.mark("begun");

// What is drawn, as values: a store's tree becomes nodes and rows. A node is a
// layer, a row an image. Rows are in the order of the tree, so those that have
// a layer are next to each other, and the first of them is where it is drawn
// solid: the solid boxes of all rows are what the store keeps.

function plant(store) {
  const nodes = [], rows = [];
  const todo = (store.tree || []).map((data, i, all) => ({data, parent: null, place: i, places: all.length})).reverse();
  while (todo.length > 0) {
    const node = todo.pop(), {data, parent} = node;
    Object.assign(node, {
      index: nodes.length, kids: [], depth: parent ? parent.depth + 1 : 1,
      start: parent ? parent.end : 0, first: rows.length, last: -1,
    });
    node.end = node.start + data.size;
    if (parent) parent.kids.push(node);
    nodes.push(node);
    const children = data.children || [];
    for (const ref of data.refs || (children.length > 0 ? [] : ["?"])) {
      node.last = rows.length;
      rows.push({ref, index: rows.length, top: node, fresh: 0});
    }
    for (let i = children.length - 1; i >= 0; i--) {
      todo.push({data: children[i], parent: node, place: i, places: children.length});
    }
  }
  for (const node of nodes.toReversed()) {
    rows[node.first].fresh += node.data.size;
    if (node.parent) node.parent.last = Math.max(node.parent.last, node.last);
  }
  const roots = nodes.filter(node => !node.parent);
  return {manager: store.manager, nodes, roots, rows, widest: rows.reduce((n, row) => Math.max(n, row.top.end), 0)};
}

// path returns the layers of a row from the base up.
function path(row) {
  const all = [];
  for (let node = row.top; node; node = node.parent) all.push(node);
  return all.reverse();
}

// kind says how a layer is drawn in a row.
function kind(node, row, whatif) {
  if (node.first !== row.index) return whatif ? "again" : "ghost";
  return node.last > node.first ? "shared" : "own";
}

const SMALL = 5; // pixels; what is narrower is drawn together with its like beside it

// segments returns the boxes of a row. Each has a list of nodes: one, or small
// ones that are drawn as one.
function segments(row, pixels, whatif) {
  const all = [];
  for (const node of path(row)) {
    const like = kind(node, row, whatif), small = node.data.size * pixels < SMALL, last = all.at(-1);
    if (small && last && last.small && last.kind === like) {
      last.nodes.push(node);
      last.end = node.end;
    } else {
      all.push({kind: like, small, nodes: [node], start: node.start, end: node.end});
    }
  }
  return all;
}

// drawn returns the bytes of all solid boxes.
function drawn(forest, whatif) {
  return forest.rows.reduce((n, row) => n + (whatif ? row.top.end : row.fresh), 0);
}

// four rounds to four digits as Go does: what lies exactly between two goes to
// the even one, where JavaScript goes up.
function four(n) {
  const digits = n.toPrecision(64), cut = digits.slice(0, 5).includes(".") ? 5 : 4;
  const down = /^\.?50*$/.test(digits.slice(cut)) && "02468".includes(digits[cut - 1]);
  return Number(down ? digits.slice(0, cut) : n.toPrecision(4));
}

// size writes bytes as the command line does.
function size(n) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  while (n >= 1000 && unit < units.length - 1) {
    n /= 1000;
    unit++;
  }
  return four(n) + " " + units[unit];
}

function sizeOf(data) {
  return (data.estimated ? "≈ " : "") + size(data.size);
}

function familiar(ref) {
  return ref.replace(/^docker\.io\/(library\/)?/, "");
}

function count(n, what) {
  return n + " " + what + (n === 1 ? "" : "s");
}
