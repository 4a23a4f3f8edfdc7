// Attention of one new token a completion over its prefix and its own cache: q and y [N, heads * HEAD_DIM], N =
// prefixes * group; caches [N, turns * kv_heads * HEAD_DIM] filled up to turn[0]; prefix keys and values
// [prefixes * prefix_length, kv_heads * HEAD_DIM]; mask [prefixes, prefix_length] (0: padding).
// One workgroup a (completion, head), keys 64 at a time: a lane scores a key, then a lane mixes a piece of the head.
/*HEAD: const HEAD_DIM, WIDTH; alias Piece; fn inner(Piece, Piece) -> f32 */
const PIECES = HEAD_DIM / WIDTH;
const HIDDEN = -1e9;
const SHARE = (PIECES + 63u) / 64u;
struct Params {
  prefixes: u32, prefix_length: u32, group: u32, turns: u32, heads: u32, kv_heads: u32, scale: f32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> q: array<Piece>;
@group(0) @binding(2) var<storage, read> cache_k: array<Piece>;
@group(0) @binding(3) var<storage, read> cache_v: array<Piece>;
@group(0) @binding(4) var<storage, read> prefix_k: array<Piece>;
@group(0) @binding(5) var<storage, read> prefix_v: array<Piece>;
@group(0) @binding(6) var<storage, read> mask: array<f32>;
@group(0) @binding(7) var<storage, read> turn: array<i32>;
@group(0) @binding(8) var<storage, read_write> y: array<Piece>;

var<workgroup> scores: array<f32, 64>;
var<workgroup> weights: array<f32, 64>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = group.x + group.y * groups.x;
  if (index >= p.prefixes * p.group * p.heads) { return; }
  let completion = index / p.heads;
  let kv_head = index % p.heads / (p.heads / p.kv_heads);
  let prefix_first = completion / p.group * p.prefix_length;
  let keys = p.prefix_length + min(u32(turn[0]) + 1u, p.turns);
  let own_first = completion * p.turns;

  var mixed: array<Piece, SHARE>;
  var top = -3.4e38;
  var total = 0.0;
  for (var base = 0u; base < keys; base += 64u) {
    let j = base + lane;
    var score = -3.4e38;
    if (j < p.prefix_length) {
      let key = ((prefix_first + j) * p.kv_heads + kv_head) * PIECES;
      score = 0.0;
      for (var c = 0u; c < PIECES; c++) { score += inner(q[index * PIECES + c], prefix_k[key + c]); }
      score *= p.scale;
      if (mask[prefix_first + j] == 0.0) { score += HIDDEN; }
    } else if (j < keys) {
      let key = ((own_first + j - p.prefix_length) * p.kv_heads + kv_head) * PIECES;
      score = 0.0;
      for (var c = 0u; c < PIECES; c++) { score += inner(q[index * PIECES + c], cache_k[key + c]); }
      score *= p.scale;
    }
    scores[lane] = score;
    workgroupBarrier();
    let block = min(64u, keys - base);
    var higher = top;
    for (var i = 0u; i < block; i++) { higher = max(higher, scores[i]); }
    weights[lane] = select(0.0, exp(score - higher), lane < block);
    workgroupBarrier();
    let shrink = exp(top - higher);
    top = higher;
    total *= shrink;
    for (var i = 0u; i < block; i++) { total += weights[i]; }
    for (var c = 0u; c < SHARE; c++) {
      let piece = lane + c * 64u;
      if (piece >= PIECES) { break; }
      var sum = mixed[c] * shrink;
      for (var i = 0u; i < block; i++) {
        let key = base + i;
        if (key < p.prefix_length) {
          sum += weights[i] * prefix_v[((prefix_first + key) * p.kv_heads + kv_head) * PIECES + piece];
        } else {
          sum += weights[i] * cache_v[((own_first + key - p.prefix_length) * p.kv_heads + kv_head) * PIECES + piece];
        }
      }
      mixed[c] = sum;
    }
  }
  for (var c = 0u; c < SHARE; c++) {
    let piece = lane + c * 64u;
    if (piece < PIECES) { y[index * PIECES + piece] = mixed[c] / total; }
  }
}
