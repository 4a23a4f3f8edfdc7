// y[index[r], c] += x[r, c] for x [count, d] into y [rows, d], which clear.wgsl has zeroed.
// One thread an element of x. The first row of an index adds up its whole chain (scatter_links.wgsl), in order: no
// atomic sums, and the same result in every run.
struct Params { count: u32, d: u32, rows: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> index: array<i32>;
@group(0) @binding(3) var<storage, read> links: array<vec2u>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= p.count * p.d) { return; }
  var row = i / p.d;
  let column = i % p.d;
  let place = u32(index[row]);
  if (links[row].y == 0u || place >= p.rows) { return; }
  var sum = 0.0;
  while (row < p.count) {
    sum += x[row * p.d + column];
    row = links[row].x;
  }
  y[place * p.d + column] = sum;
}
