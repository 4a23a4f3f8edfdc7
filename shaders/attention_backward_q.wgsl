// dq = scale * sum over keys of ds * k, ds = P (dy . v - delta), P = exp(score - lse): shapes as in attention.wgsl,
// stats [rows, heads] = (lse, delta). One thread a (row, head).
@group(0) @binding(1) var<storage, read> dy: array<Piece>;
@group(0) @binding(2) var<storage, read> q: array<Piece>;
@group(0) @binding(3) var<storage, read> k: array<Piece>;
@group(0) @binding(4) var<storage, read> v: array<Piece>;
@group(0) @binding(5) var<storage, read> mask: array<f32>;
@group(0) @binding(6) var<storage, read> stats: array<vec2f>;
@group(0) @binding(7) var<storage, read_write> dq: array<Piece>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= rows() * p.heads) { return; }
  let query = query_at(i);
  let index = query.row * p.heads + query.head;
  let at = index * PIECES;
  let stat = stats[index];
  var mine: array<Piece, PIECES>;
  var gradient: array<Piece, PIECES>;
  var sum: array<Piece, PIECES>;
  for (var c = 0u; c < PIECES; c++) {
    mine[c] = q[at + c] * p.scale;
    gradient[c] = dy[at + c];
  }
  for (var j = 0u; j < query.keys; j++) {
    let row = key_row(query, j);
    let key = (row * p.kv_heads + query.kv_head) * PIECES;
    var score = 0.0;
    var slope = 0.0;
    for (var c = 0u; c < PIECES; c++) {
      score += inner(mine[c], k[key + c]);
      slope += inner(gradient[c], v[key + c]);
    }
    if (j < query.prefix_keys && mask[row] == 0.0) { score += HIDDEN; }
    // A probability is at most 1; without the bound rounding at -1e9 could overflow in rows of padding.
    let ds = exp(min(score - stat.x, 0.0)) * (slope - stat.y);
    for (var c = 0u; c < PIECES; c++) { sum[c] += ds * k[key + c]; }
  }
  for (var c = 0u; c < PIECES; c++) { dq[at + c] = sum[c] * p.scale; }
}
