// C[m, n] = sum_k A(m, k) B(k, n) + bias[n] (+ C), A and B read by strides.
// A thread holds a 4 x 4 tile of C in registers and reads A and B straight from global memory: no barrier, so it
// suits devices on which barriers are dear (software) and products too small to fill shared tiles.
// Workgroup: 8 x 8 threads, 32 x 32 of C. Rows and columns past the edge read the last one and store nothing.
// Workgroup z takes the k-range [z * chunk, (z + 1) * chunk) and writes plane z of C (split-k).
struct Params {
  m: u32, n: u32, k: u32, chunk: u32,
  a_row: u32, a_column: u32, b_row: u32, b_column: u32,
  a_start: u32, b_start: u32, c_start: u32, has_bias: u32, accumulate: u32, c_row: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> c: array<f32>;

// B may be half floats: half-operand.ts puts other lines in the place of its declaration and of this one.
fn load_b(at: u32) -> f32 { return b[at]; }

fn store_row(row: u32, column: u32, plane: u32, sum: vec4f) {
  if (row >= p.m) { return; }
  for (var j = 0u; j < 4u; j++) {
    if (column + j < p.n) {
      let at = p.c_start + (plane * p.m + row) * p.c_row + column + j;
      var value = sum[j];
      if (p.has_bias != 0u) { value += bias[column + j]; }
      if (p.accumulate != 0u) { value += c[at]; }
      c[at] = value;
    }
  }
}

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let row = id.y * 4u;
  let column = id.x * 4u;
  if (row >= p.m || column >= p.n) { return; }
  let start = id.z * p.chunk;
  let end = min(p.k, start + p.chunk);
  var a_at = min(vec4u(row, row + 1u, row + 2u, row + 3u), vec4u(p.m - 1u)) * p.a_row
    + p.a_start + start * p.a_column;
  var b_at = min(vec4u(column, column + 1u, column + 2u, column + 3u), vec4u(p.n - 1u)) * p.b_column
    + p.b_start + start * p.b_row;
  var sum0 = vec4f();
  var sum1 = vec4f();
  var sum2 = vec4f();
  var sum3 = vec4f();
  for (var k = start; k < end; k++) {
    let right = vec4f(load_b(b_at.x), load_b(b_at.y), load_b(b_at.z), load_b(b_at.w));
    sum0 += a[a_at.x] * right;
    sum1 += a[a_at.y] * right;
    sum2 += a[a_at.z] * right;
    sum3 += a[a_at.w] * right;
    a_at += vec4u(p.a_column);
    b_at += vec4u(p.b_row);
  }
  store_row(row, column, id.z, sum0);
  store_row(row + 1u, column, id.z, sum1);
  store_row(row + 2u, column, id.z, sum2);
  store_row(row + 3u, column, id.z, sum3);
}
