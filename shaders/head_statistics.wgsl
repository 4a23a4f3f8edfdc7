// Statistics of the distributions softmax(logits / temperature) of `count` rows in each of 1 or 2 views:
// logp[r] = log p(target), entropy[r] = -sum p log p, and kl = sum p (log p - log q) between the views (0 with one view).
// logits [views * count, V] holds rows first ... first + count of each view; the outputs have `rows` rows a view.
// One workgroup a row of both views, in three walks: the greatest logit, the sum of exponentials, the sums.
// After each walk every lane joins the parts of all lanes: one barrier instead of a tree of them.
struct Params { first: u32, count: u32, rows: u32, vocabulary: u32, views: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read> targets: array<i32>;
@group(0) @binding(3) var<storage, read> temperature: array<f32>;
@group(0) @binding(4) var<storage, read_write> logps: array<f32>;
@group(0) @binding(5) var<storage, read_write> entropy: array<f32>;
@group(0) @binding(6) var<storage, read_write> kl: array<f32>;

const LANES = 64u;
// Parts of the lanes; x of the original, y of the masked view.
var<workgroup> tops: array<vec2f, LANES>;
var<workgroup> masses: array<vec2f, LANES>;
// Both entropies, and KL.
var<workgroup> sums: array<vec3f, LANES>;

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = group.x + group.y * groups.x;
  if (row >= p.count) { return; }
  let original = row * p.vocabulary;
  // With one view the masked one is the original: KL is then 0.
  let masked = select(row, p.count + row, p.views == 2u) * p.vocabulary;
  let rate = 1.0 / temperature[0];

  var top = vec2f(-3.4e38);
  for (var v = lane; v < p.vocabulary; v += LANES) {
    top = max(top, vec2f(logits[original + v], logits[masked + v]) * rate);
  }
  tops[lane] = top;
  workgroupBarrier();
  for (var i = 0u; i < LANES; i++) { top = max(top, tops[i]); }

  var mass = vec2f();
  for (var v = lane; v < p.vocabulary; v += LANES) {
    mass += exp(vec2f(logits[original + v], logits[masked + v]) * rate - top);
  }
  masses[lane] = mass;
  workgroupBarrier();
  var all_mass = vec2f();
  for (var i = 0u; i < LANES; i++) { all_mass += masses[i]; }
  let lse = top + log(all_mass);

  var sum = vec3f();
  for (var v = lane; v < p.vocabulary; v += LANES) {
    let logp = vec2f(logits[original + v], logits[masked + v]) * rate - lse;
    let probability = exp(logp);
    sum += vec3f(-probability * logp, probability.x * (logp.x - logp.y));
  }
  sums[lane] = sum;
  workgroupBarrier();
  if (lane == 0u) {
    var statistics = vec3f();
    for (var i = 0u; i < LANES; i++) { statistics += sums[i]; }
    let at = p.first + row;
    let chosen = u32(targets[at]);
    logps[at] = logits[original + chosen] * rate - lse.x;
    entropy[at] = statistics.x;
    kl[at] = statistics.z;
    if (p.views == 2u) {
      logps[p.rows + at] = logits[masked + chosen] * rate - lse.y;
      entropy[p.rows + at] = statistics.y;
    }
  }
}
