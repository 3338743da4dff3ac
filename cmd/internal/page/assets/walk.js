// Where an arrow key leads. A place is a row and one of its layers. As stored,
// a layer has one place, in the row that draws it solid, and the keys walk the
// tree: right and down together reach every layer, in its order. Without
// sharing every row has layers of its own, and the keys walk a grid.

function walk(forest, at, key, whatif) {
  if (forest.nodes.length === 0) return null;
  switch (key) {
    case "Home": return placeOf(forest, forest.nodes[0]);
    case "End": return placeOf(forest, forest.nodes.at(-1));
  }
  return whatif ? walkGrid(forest, at, key) : walkTree(forest, at, key);
}

function placeOf(forest, node) {
  return {row: forest.rows[node.first], node};
}

function walkTree(forest, {node}, key) {
  const to = {
    ArrowRight: () => node.kids[0],
    ArrowLeft: () => node.parent,
    ArrowDown: () => beside(forest, node, 1),
    ArrowUp: () => beside(forest, node, -1),
  }[key]();
  return to ? placeOf(forest, to) : null;
}

// beside returns the sibling of a node, or the one of what is below it.
function beside(forest, node, step) {
  for (; node; node = node.parent) {
    const siblings = node.parent ? node.parent.kids : forest.roots;
    const to = siblings[node.place + step];
    if (to) return to;
  }
  return null;
}

function walkGrid(forest, {row, node}, key) {
  const step = key === "ArrowRight" || key === "ArrowDown" ? 1 : -1;
  if (key === "ArrowUp" || key === "ArrowDown") {
    row = forest.rows[row.index + step];
    return row ? {row, node: path(row)[Math.min(node.depth, row.top.depth) - 1]} : null;
  }
  const to = path(row)[node.depth - 1 + step];
  return to ? {row, node: to} : null;
}
