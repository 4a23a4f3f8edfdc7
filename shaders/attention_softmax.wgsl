// In place: scores [rows, keys] become softmax(scores * scale + mask) by row; lse[(first + row) * heads + head] = the
// log-sum-exp. mask [prefixes, keys] (0: padding) is read from `first` on. The middle of an attention that is made of
// two products, for one head of one prefix. One thread a row: for devices on which barriers are dear.
struct Params { rows: u32, keys: u32, first: u32, heads: u32, head: u32, scale: f32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> scores: array<f32>;
@group(0) @binding(2) var<storage, read> mask: array<f32>;
@group(0) @binding(3) var<storage, read_write> lse: array<f32>;

const HIDDEN = -1e9;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let row = id.x + id.y * groups.x * 64u;
  if (row >= p.rows) { return; }
  let base = row * p.keys;
  var top = -3.4e38;
  for (var j = 0u; j < p.keys; j++) {
    let score = scores[base + j] * p.scale + select(0.0, HIDDEN, mask[p.first + j] == 0.0);
    scores[base + j] = score;
    top = max(top, score);
  }
  var total = 0.0;
  for (var j = 0u; j < p.keys; j++) {
    let weight = exp(scores[base + j] - top);
    scores[base + j] = weight;
    total += weight;
  }
  for (var j = 0u; j < p.keys; j++) { scores[base + j] /= total; }
  lse[(p.first + row) * p.heads + p.head] = top + log(total);
}
