// y [prefixes, prefix_length]: the attention that each token receives, summed over the queries of its prefix and
// averaged over the heads: sum of exp(q k^T * scale - lse) / heads, lse [rows, heads] from attention_lse.wgsl.
// One workgroup a key; its 64 lanes share the (query, head) pairs.
@group(0) @binding(1) var<storage, read> q: array<Piece>;
@group(0) @binding(2) var<storage, read> k: array<Piece>;
@group(0) @binding(3) var<storage, read> lse: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

var<workgroup> sums: array<f32, 64>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = group.x + group.y * groups.x;
  if (row >= rows()) { return; }
  let first = row / p.prefix_length * p.prefix_length;
  var sum = 0.0;
  for (var i = lane; i < p.prefix_length * p.heads; i += 64u) {
    let head = i % p.heads;
    let index = first * p.heads + i;
    let key = (row * p.kv_heads + head / (p.heads / p.kv_heads)) * PIECES;
    var score = 0.0;
    for (var c = 0u; c < PIECES; c++) { score += inner(q[index * PIECES + c], k[key + c]); }
    sum += exp(score * p.scale - lse[index]);
  }
  sums[lane] = sum;
  for (var half = 32u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { sums[lane] += sums[lane + half]; }
  }
  if (lane == 0u) { y[row] = sums[0] / f32(p.heads); }
}
