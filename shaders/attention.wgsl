// y = softmax(q k^T * scale + mask) v and lse = log-sum-exp of the scores, q and y [rows, heads * HEAD_DIM],
// k and v [rows, kv_heads * HEAD_DIM], mask [prefixes, prefix_length] (0: padding), lse [rows, heads].
// One thread a (row, head): one walk over its keys with a running maximum; no score is stored.
@group(0) @binding(1) var<storage, read> q: array<Piece>;
@group(0) @binding(2) var<storage, read> k: array<Piece>;
@group(0) @binding(3) var<storage, read> v: array<Piece>;
@group(0) @binding(4) var<storage, read> mask: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<Piece>;
@group(0) @binding(6) var<storage, read_write> lse: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= rows() * p.heads) { return; }
  let query = query_at(i);
  let at = (query.row * p.heads + query.head) * PIECES;
  var mine: array<Piece, PIECES>;
  var mixed: array<Piece, PIECES>;
  for (var c = 0u; c < PIECES; c++) { mine[c] = q[at + c] * p.scale; }
  var top = -3.4e38;
  var total = 0.0;
  for (var j = 0u; j < query.keys; j++) {
    let row = key_row(query, j);
    let key = (row * p.kv_heads + query.kv_head) * PIECES;
    var score = 0.0;
    for (var c = 0u; c < PIECES; c++) { score += inner(mine[c], k[key + c]); }
    if (j < query.prefix_keys && mask[row] == 0.0) { score += HIDDEN; }
    if (score > top) {
      let shrink = exp(top - score);
      total *= shrink;
      for (var c = 0u; c < PIECES; c++) { mixed[c] *= shrink; }
      top = score;
    }
    let weight = exp(score - top);
    total += weight;
    for (var c = 0u; c < PIECES; c++) { mixed[c] += weight * v[key + c]; }
  }
  for (var c = 0u; c < PIECES; c++) { y[at + c] = mixed[c] / total; }
  lse[query.row * p.heads + query.head] = top + log(total);
}
