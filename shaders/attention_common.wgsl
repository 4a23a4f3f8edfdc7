// What the attention kernels share; prepended to each of them. The rows are those of src/ops/attention.ts: prefixes
// of L = prefix_length tokens, then for each prefix `group` completions of T = completion_length tokens.
// A head is read in pieces of 4, 2 or 1 floats, whichever divides its size; the op writes the next lines:
/*HEAD: const HEAD_DIM, WIDTH; alias Piece; fn inner(Piece, Piece) -> f32 */
const PIECES = HEAD_DIM / WIDTH;

struct Params {
  prefixes: u32, prefix_length: u32, group: u32, completion_length: u32,
  heads: u32, kv_heads: u32, causal: u32, scale: f32,
}
@group(0) @binding(0) var<uniform> p: Params;

// The score of a key that may not be seen is lowered by this; finite, so that a row of padding stays finite.
const HIDDEN = -1e9;

// A query row of one head, and the keys that it sees: `prefix_keys` rows from prefix_first on, then `keys` -
// prefix_keys rows from own_first on.
struct Query {
  row: u32, head: u32, kv_head: u32,
  prefix_first: u32, prefix_keys: u32, own_first: u32, keys: u32,
}

fn rows() -> u32 { return p.prefixes * (p.prefix_length + p.group * p.completion_length); }

// Queries in an order in which neighbours walk the same keys: (prefix, head, token), then (completion, head, token).
fn query_at(i: u32) -> Query {
  let prefix_rows = p.prefixes * p.prefix_length;
  var q: Query;
  if (i < prefix_rows * p.heads) {
    let token = i % p.prefix_length;
    let prefix = i / (p.prefix_length * p.heads);
    q.row = prefix * p.prefix_length + token;
    q.head = i / p.prefix_length % p.heads;
    q.prefix_first = prefix * p.prefix_length;
    q.prefix_keys = select(p.prefix_length, token + 1u, p.causal != 0u);
    q.keys = q.prefix_keys;
  } else {
    let own = i - prefix_rows * p.heads;
    let token = own % p.completion_length;
    let completion = own / (p.completion_length * p.heads);
    q.own_first = prefix_rows + completion * p.completion_length;
    q.row = q.own_first + token;
    q.head = own / p.completion_length % p.heads;
    q.prefix_first = completion / p.group * p.prefix_length;
    q.prefix_keys = p.prefix_length;
    q.keys = p.prefix_length + token + 1u;
  }
  q.kv_head = q.head / (p.heads / p.kv_heads);
  return q;
}

fn key_row(q: Query, j: u32) -> u32 {
  return select(q.own_first + j - q.prefix_keys, q.prefix_first + j, j < q.prefix_keys);
}
