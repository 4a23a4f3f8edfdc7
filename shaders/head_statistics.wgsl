// Statistics of the distributions softmax(logits / temperature) of `count` rows in each of 1 or 2 views:
// logp[r] = log p(target), entropy[r] = -sum p log p, and kl = sum p (log p - log q) between the views (0 with one view).
// logits [views * count, V] holds rows first ... first + count of each view; the outputs have `rows` rows a view.
// One workgroup a row of both views: log-sum-exp first, then the sums.
struct Params { first: u32, count: u32, rows: u32, vocabulary: u32, views: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read> targets: array<i32>;
@group(0) @binding(3) var<storage, read> temperature: array<f32>;
@group(0) @binding(4) var<storage, read_write> logps: array<f32>;
@group(0) @binding(5) var<storage, read_write> entropy: array<f32>;
@group(0) @binding(6) var<storage, read_write> kl: array<f32>;

const LANES = 128u;
// Maximum and sum of exponentials of the original, then of the masked view; later the three sums.
var<workgroup> shares: array<vec4f, LANES>;

// Two (maximum, sum of exp(z - maximum)) of parts of a row, joined.
fn join(a: vec2f, b: vec2f) -> vec2f {
  let top = max(a.x, b.x);
  return vec2f(top, a.y * exp(a.x - top) + b.y * exp(b.x - top));
}

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

  var a = vec2f(-3.4e38, 0.0);
  var b = vec2f(-3.4e38, 0.0);
  for (var v = lane; v < p.vocabulary; v += LANES) {
    a = join(a, vec2f(logits[original + v] * rate, 1.0));
    if (p.views == 2u) { b = join(b, vec2f(logits[masked + v] * rate, 1.0)); }
  }
  shares[lane] = vec4f(a, b);
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) {
      let mine = shares[lane];
      let other = shares[lane + half];
      shares[lane] = vec4f(join(mine.xy, other.xy), join(mine.zw, other.zw));
    }
  }
  workgroupBarrier();
  let joined = shares[0];
  workgroupBarrier();
  let lse = vec2f(joined.x + log(joined.y), select(joined.x + log(joined.y), joined.z + log(joined.w), p.views == 2u));

  // Entropies of both views, and KL.
  var sums = vec4f();
  for (var v = lane; v < p.vocabulary; v += LANES) {
    let logp = logits[original + v] * rate - lse.x;
    sums.x -= exp(logp) * logp;
    if (p.views == 2u) {
      let logq = logits[masked + v] * rate - lse.y;
      sums.y -= exp(logq) * logq;
      sums.z += exp(logp) * (logp - logq);
    }
  }
  shares[lane] = sums;
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { shares[lane] += shares[lane + half]; }
  }
  if (lane == 0u) {
    let at = p.first + row;
    let chosen = u32(targets[at]);
    logps[at] = logits[original + chosen] * rate - lse.x;
    entropy[at] = shares[0].x;
    kl[at] = shares[0].z;
    if (p.views == 2u) {
      logps[p.rows + at] = logits[masked + chosen] * rate - lse.y;
      entropy[p.rows + at] = shares[0].y;
    }
  }
}
