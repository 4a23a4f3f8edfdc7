// token[r] drawn from softmax(logits[r] / temperature) cut by top-k, then top-p, then min-p; logits [rows, V], uniforms
// [turns, rows] in [0, 1): the inverse of the distribution function at uniforms[turn, r]. greedy: the first maximum.
// One workgroup a row. The cuts are thresholds on the logits, found by bisection over their bits in order (32 turns of
// counting, or of adding up, over the row), so nothing is sorted and ties are kept together.
struct Params { rows: u32, vocabulary: u32, greedy: u32, top_k: u32, top_p: f32, min_p: f32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read> uniforms: array<f32>;
@group(0) @binding(3) var<storage, read> turn: array<i32>;
@group(0) @binding(4) var<storage, read> temperature: array<f32>;
@group(0) @binding(5) var<storage, read_write> token: array<i32>;

const LANES = 256u;
var<workgroup> values: array<f32, LANES>;
var<workgroup> places: array<u32, LANES>;

// Bits of a float such that the order of floats is the order of unsigned integers.
fn ordered(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  return select(bits | 0x80000000u, ~bits, (bits & 0x80000000u) != 0u);
}

// The sum over the lanes, in the order of the lanes.
fn total(lane: u32, value: f32) -> f32 {
  workgroupBarrier();
  values[lane] = value;
  workgroupBarrier();
  var sum = 0.0;
  for (var i = 0u; i < LANES; i++) { sum += values[i]; }
  return sum;
}

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = group.x + group.y * groups.x;
  if (row >= p.rows) { return; }
  let base = row * p.vocabulary;

  var top = -3.4e38;
  var top_at = lane;
  for (var i = lane; i < p.vocabulary; i += LANES) {
    if (logits[base + i] > top) {
      top = logits[base + i];
      top_at = i;
    }
  }
  values[lane] = top;
  places[lane] = top_at;
  workgroupBarrier();
  for (var i = 0u; i < LANES; i++) {
    if (values[i] > top || (values[i] == top && places[i] < top_at)) {
      top = values[i];
      top_at = places[i];
    }
  }
  if (p.greedy != 0u) {
    if (lane == 0u) { token[row] = i32(top_at); }
    return;
  }
  let rate = 1.0 / temperature[0];

  // The greatest number that at least top_k logits reach is the k-th largest. Built from its top bit down.
  var threshold = 0u;
  if (p.top_k > 0u && p.top_k < p.vocabulary) {
    for (var bit = 0u; bit < 32u; bit++) {
      let trial = threshold | (0x80000000u >> bit);
      var count = 0.0;
      for (var i = lane; i < p.vocabulary; i += LANES) { count += select(0.0, 1.0, ordered(logits[base + i]) >= trial); }
      if (total(lane, count) >= f32(p.top_k)) { threshold = trial; }
    }
  }

  // The greatest number such that the logits that reach it hold top_p of the mass that top-k left.
  if (p.top_p < 1.0) {
    var mass = 0.0;
    for (var i = lane; i < p.vocabulary; i += LANES) {
      if (ordered(logits[base + i]) >= threshold) { mass += exp((logits[base + i] - top) * rate); }
    }
    let wanted = p.top_p * total(lane, mass);
    var nucleus = 0u;
    for (var bit = 0u; bit < 32u; bit++) {
      let trial = nucleus | (0x80000000u >> bit);
      var held = 0.0;
      for (var i = lane; i < p.vocabulary; i += LANES) {
        let z = ordered(logits[base + i]);
        if (z >= trial && z >= threshold) { held += exp((logits[base + i] - top) * rate); }
      }
      if (total(lane, held) >= wanted) { nucleus = trial; }
    }
    threshold = max(threshold, min(nucleus, ordered(top)));
  }

  // Now a lane has a stretch of the row, so that sums over the lanes run in the order of the tokens.
  let stretch = (p.vocabulary + LANES - 1u) / LANES;
  let start = min(p.vocabulary, lane * stretch);
  let end = min(p.vocabulary, start + stretch);
  var mine = 0.0;
  var last = p.vocabulary;
  for (var i = start; i < end; i++) {
    let weight = exp((logits[base + i] - top) * rate);
    if (ordered(logits[base + i]) >= threshold && weight >= p.min_p) {
      mine += weight;
      if (weight > 0.0) { last = i; }
    }
  }
  let all_mass = total(lane, mine);
  let goal = uniforms[u32(turn[0]) * p.rows + row] * all_mass;
  places[lane] = last;
  workgroupBarrier();
  if (lane != 0u) { return; }
  // The stretch in which the running sum passes the goal; the last kept token where rounding lets none pass.
  var before = 0.0;
  var chosen = top_at;
  for (var i = 0u; i < LANES; i++) {
    if (places[i] == p.vocabulary) { continue; }
    chosen = places[i];
    if (before + values[i] > goal) {
      for (var v = i * stretch; v < min(p.vocabulary, (i + 1u) * stretch); v++) {
        let weight = exp((logits[base + v] - top) * rate);
        if (ordered(logits[base + v]) >= threshold && weight >= p.min_p) {
          before += weight;
          if (before > goal) {
            chosen = v;
            break;
          }
        }
      }
      break;
    }
    before += values[i];
  }
  token[row] = i32(chosen);
}
