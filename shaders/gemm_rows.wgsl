// C[m, n] = sum_k A(m, k) B(k, n) + bias[n] (+ C), A and B read by strides: for few rows (a decoding step), where
// reading B is all that takes time. The 64 lanes of a workgroup share k, which both operands should be contiguous along,
// and each holds 8 x 4 of C. Lanes are joined in a fixed order. Rows and columns past the edge read the last one and
// store nothing.
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

const LANES = 64u;
const ROWS = 8u;
// One vector of padding a lane.
const PITCH = ROWS + 1u;
// (lane, row): four columns.
var<workgroup> parts: array<vec4f, LANES * PITCH>;

// The positions of four rows of A, or columns of B.
fn positions(first: u32, count: u32, stride: u32) -> vec4u {
  return min(vec4u(first, first + 1u, first + 2u, first + 3u), vec4u(count - 1u)) * stride;
}

// Row i of C's tile is column i of the matrix.
fn outer(left: vec4f, right: vec4f) -> mat4x4f {
  return mat4x4f(left.x * right, left.y * right, left.z * right, left.w * right);
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let first_row = group.y * ROWS;
  let column = group.x * 4u;
  var a0 = positions(first_row, p.m, p.a_row) + p.a_start + lane * p.a_column;
  var a1 = positions(first_row + 4u, p.m, p.a_row) + p.a_start + lane * p.a_column;
  var b0 = positions(column, p.n, p.b_column) + p.b_start + lane * p.b_row;
  var low = mat4x4f();
  var high = mat4x4f();
  for (var k = lane; k < p.k; k += LANES) {
    let right = vec4f(load_b(b0.x), load_b(b0.y), load_b(b0.z), load_b(b0.w));
    low += outer(vec4f(a[a0.x], a[a0.y], a[a0.z], a[a0.w]), right);
    high += outer(vec4f(a[a1.x], a[a1.y], a[a1.z], a[a1.w]), right);
    a0 += vec4u(LANES * p.a_column);
    a1 += vec4u(LANES * p.a_column);
    b0 += vec4u(LANES * p.b_row);
  }
  parts[lane * PITCH] = low[0];
  parts[lane * PITCH + 1u] = low[1];
  parts[lane * PITCH + 2u] = low[2];
  parts[lane * PITCH + 3u] = low[3];
  parts[lane * PITCH + 4u] = high[0];
  parts[lane * PITCH + 5u] = high[1];
  parts[lane * PITCH + 6u] = high[2];
  parts[lane * PITCH + 7u] = high[3];
  workgroupBarrier();
  // Eight lanes a row join eight parts each, then one lane a row joins these.
  var sum = vec4f();
  for (var i = 0u; i < 8u; i++) { sum += parts[(lane / ROWS * 8u + i) * PITCH + lane % ROWS]; }
  workgroupBarrier();
  parts[lane] = sum;
  workgroupBarrier();
  let row = first_row + lane;
  if (lane >= ROWS || row >= p.m) { return; }
  var total = vec4f();
  for (var i = 0u; i < 8u; i++) { total += parts[i * ROWS + lane]; }
  for (var j = 0u; j < 4u; j++) {
    if (column + j < p.n) {
      let at = p.c_start + row * p.c_row + column + j;
      var value = total[j];
      if (p.has_bias != 0u) { value += bias[column + j]; }
      if (p.accumulate != 0u) { value += c[at]; }
      c[at] = value;
    }
  }
}
