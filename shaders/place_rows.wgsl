// y[r, c] = images[place[r], c] where place[r] >= 0, else x[r, c], over [rows, d]. One thread an element.
struct Params { rows: u32, d: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> images: array<f32>;
@group(0) @binding(3) var<storage, read> place: array<i32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= p.rows * p.d) { return; }
  let image = place[i / p.d];
  if (image >= 0) {
    y[i] = images[u32(image) * p.d + i % p.d];
  } else {
    y[i] = x[i];
  }
}
