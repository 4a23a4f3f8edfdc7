// In place: logits [views * count, V] of rows first ... first + count of each view become the loss's gradients by them.
// With p and q the softmax of logits / temperature in the original and the masked view, y the target:
//   dz  = dlogp (onehot(y) - p) - dentropy p (log p + entropy) + dkl p (log p - log q - kl)
//   dz' = dlogp' (onehot(y) - q) - dentropy' q (log q + entropy') + dkl (q - p),   both / temperature
// packed [views * rows, 6]: see head_pack.wgsl. log p(v) = z(v) - z(y) + log p(y): the log-sum-exp is not needed again.
// One workgroup a row of both views.
struct Params { first: u32, count: u32, rows: u32, vocabulary: u32, views: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> logits: array<f32>;
@group(0) @binding(2) var<storage, read> targets: array<i32>;
@group(0) @binding(3) var<storage, read> temperature: array<f32>;
@group(0) @binding(4) var<storage, read> packed: array<f32>;

const LANES = 64u;

// The part of dz that log p(y) and the entropy of one view make.
fn own_term(row: u32, probability: f32, logp: f32, hot: f32) -> f32 {
  let dlogp = packed[row * 6u + 2u];
  let dentropy = packed[row * 6u + 3u];
  return dlogp * (hot - probability) - dentropy * probability * (logp + packed[row * 6u + 1u]);
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
  let masked = select(row, p.count + row, p.views == 2u) * p.vocabulary;
  let at = p.first + row;
  let masked_at = select(at, p.rows + at, p.views == 2u);
  let chosen = u32(targets[at]);
  let rate = 1.0 / temperature[0];
  // Minus the log-sum-exp.
  let shift = packed[at * 6u] - logits[original + chosen] * rate;
  let masked_shift = packed[masked_at * 6u] - logits[masked + chosen] * rate;
  // All lanes must have read the target's logits before one overwrites them.
  workgroupBarrier();
  let kl = packed[at * 6u + 4u];
  let dkl = packed[at * 6u + 5u];
  for (var v = lane; v < p.vocabulary; v += LANES) {
    let hot = select(0.0, 1.0, v == chosen);
    let logp = logits[original + v] * rate + shift;
    let probability = exp(logp);
    var dz = own_term(at, probability, logp, hot);
    if (p.views == 2u) {
      let logq = logits[masked + v] * rate + masked_shift;
      let other = exp(logq);
      dz += dkl * probability * (logp - logq - kl);
      let masked_dz = own_term(masked_at, other, logq, hot) + dkl * (other - probability);
      logits[masked + v] = masked_dz * rate;
    }
    logits[original + v] = dz * rate;
  }
}
