// (y[i], y[i + half]) = (x[i] c - x[i + half] s, x[i + half] c + x[i] s) for i < half in each head of 2 * half
// columns of x [rows, columns]; c and s from row positions[r] of the tables [positions, half]; s times `direction`.
// One thread a pair.
struct Params { rows: u32, columns: u32, half: u32, direction: f32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> positions: array<i32>;
@group(0) @binding(3) var<storage, read> cosines: array<f32>;
@group(0) @binding(4) var<storage, read> sines: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  let pairs = p.columns / 2u;
  if (i >= p.rows * pairs) { return; }
  let row = i / pairs;
  let turn = (i % pairs) % p.half;
  let first = row * p.columns + (i % pairs) / p.half * 2u * p.half + turn;
  let angle = u32(positions[row]) * p.half + turn;
  let c = cosines[angle];
  let s = sines[angle] * p.direction;
  let a = x[first];
  let b = x[first + p.half];
  y[first] = a * c - b * s;
  y[first + p.half] = b * c + a * s;
}
