// Package dynamo is the core.Store on one DynamoDB table.
//
// Nothing here needs a transaction, a scan or an index. Each kind of item has
// one writer's condition of its own:
//
//   - a group is one item, written over the version that was read; a heartbeat
//     is one conditional update of it;
//   - the revision and its log are one item that every change appends to;
//   - a broker's topics are rows (one item a topic and broker), covered by a
//     set: chunks that name them and a manifest of the chunks' hashes, which
//     the holder of the group's writer token changes in an order that leaves
//     the set covering every row at any moment (see write.go).
//
// # Formats
//
// Every item carries a format number. A release reads its own format and the
// one before, and refuses a later one, so a new format is written only once
// every function in service reads it. Additions that an older function may
// ignore are new attributes of the item, without a new number: what is updated
// in place (groups, sessions, the revision, manifests, KV) keeps attributes that
// the updating function does not know. A group's map of replicas is no place
// for additions: it is written whole.
package dynamo
