// y[r, c] = EXPRESSION(a[r, c], b[r, c], c[r, c]) over [rows, columns]; operands broadcast by stride 0.
// One thread an element; `count` = rows * columns.
struct Params {
  count: u32, columns: u32,
  a_row: u32, a_column: u32, b_row: u32, b_column: u32, c_row: u32, c_column: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> input_a: array<f32>;
@group(0) @binding(2) var<storage, read> input_b: array<f32>;
@group(0) @binding(3) var<storage, read> input_c: array<f32>;
@group(0) @binding(4) var<storage, read_write> output: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= p.count) { return; }
  let row = i / p.columns;
  let column = i % p.columns;
  let a = input_a[row * p.a_row + column * p.a_column];
  let b = input_b[row * p.b_row + column * p.b_column];
  let c = input_c[row * p.c_row + column * p.c_column];
  output[i] = /*EXPRESSION*/;
}
