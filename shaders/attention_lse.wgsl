// lse [rows, heads] = log-sum-exp over the keys of q k^T * scale, bidirectional and without padding: the first half of
// attention_received.wgsl. One thread a (row, head).
@group(0) @binding(1) var<storage, read> q: array<Piece>;
@group(0) @binding(2) var<storage, read> k: array<Piece>;
@group(0) @binding(3) var<storage, read_write> lse: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= rows() * p.heads) { return; }
  let query = query_at(i);
  let index = query.row * p.heads + query.head;
  var mine: array<Piece, PIECES>;
  for (var c = 0u; c < PIECES; c++) { mine[c] = q[index * PIECES + c] * p.scale; }
  var top = -3.4e38;
  var total = 0.0;
  for (var j = 0u; j < query.keys; j++) {
    let key = (key_row(query, j) * p.kv_heads + query.kv_head) * PIECES;
    var score = 0.0;
    for (var c = 0u; c < PIECES; c++) { score += inner(mine[c], k[key + c]); }
    let higher = max(top, score);
    total = total * exp(top - higher) + exp(score - higher);
    top = higher;
  }
  lse[index] = top + log(total);
}
