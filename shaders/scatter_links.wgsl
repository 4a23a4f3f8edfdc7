// links[r] = (r' > r: the next row with index[r'] = index[r], or count; 1 where no earlier row has that index, else 0),
// r < count: the rows of one index as a chain, for scatter_add_rows.wgsl. One thread a row.
struct Params { count: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> index: array<i32>;
@group(0) @binding(2) var<storage, read_write> links: array<vec2u>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let row = id.x + id.y * groups.x * 64u;
  if (row >= p.count) { return; }
  let mine = index[row];
  var next = row + 1u;
  while (next < p.count && index[next] != mine) { next++; }
  var earlier = row;
  while (earlier > 0u && index[earlier - 1u] != mine) { earlier--; }
  links[row] = vec2u(next, select(0u, 1u, earlier == 0u));
}
