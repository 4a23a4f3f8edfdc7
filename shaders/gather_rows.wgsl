// y[r, c] = table[index[r], c] over [rows, d]. Values are copied as words: the table may hold f32 or i32.
// A table of half floats becomes f32 (half-operand.ts). One thread an element.
struct Params { rows: u32, d: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> table: array<u32>;
@group(0) @binding(2) var<storage, read> index: array<i32>;
@group(0) @binding(3) var<storage, read_write> y: array<u32>;

fn load_table(at: u32) -> u32 { return table[at]; }

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= p.rows * p.d) { return; }
  y[i] = load_table(u32(index[i / p.d]) * p.d + i % p.d);
}
