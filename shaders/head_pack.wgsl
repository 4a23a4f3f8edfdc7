// What head_backward.wgsl needs of each of views * rows rows, in one buffer (core WebGPU binds 8 a stage):
// packed[r] = (logp, entropy, dlogp, dentropy, kl, dkl), the last two those of row r modulo `rows`. One thread a row.
struct Params { rows: u32, views: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> logps: array<f32>;
@group(0) @binding(2) var<storage, read> entropy: array<f32>;
@group(0) @binding(3) var<storage, read> kl: array<f32>;
@group(0) @binding(4) var<storage, read> dlogps: array<f32>;
@group(0) @binding(5) var<storage, read> dentropy: array<f32>;
@group(0) @binding(6) var<storage, read> dkl: array<f32>;
@group(0) @binding(7) var<storage, read_write> packed: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let row = id.x + id.y * groups.x * 64u;
  if (row >= p.rows * p.views) { return; }
  packed[row * 6u] = logps[row];
  packed[row * 6u + 1u] = entropy[row];
  packed[row * 6u + 2u] = dlogps[row];
  packed[row * 6u + 3u] = dentropy[row];
  packed[row * 6u + 4u] = kl[row % p.rows];
  packed[row * 6u + 5u] = dkl[row % p.rows];
}
