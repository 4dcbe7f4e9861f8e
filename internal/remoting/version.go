package remoting

// Ordinals of releases, as peers send them in [Command.Version] (Java:
// MQVersion.Version; every release has two positions, snapshot and release,
// and the value on the wire is the position). Named here are those that change
// how a NameServer reads or answers, and those it compares itself with. A
// missing version decodes as 0, older than all of them.
const (
	// V3_0_11: below it, the body of RegisterBroker is a bare topic table
	// without the list of filter servers.
	V3_0_11 = 37

	V4_8_0 = 373
	V4_9_0 = 393

	// V4_9_4: from it on, a route is answered in standard JSON, with integer
	// keys quoted; below, only to those who ask for it.
	V4_9_4 = 401

	V4_9_7 = 407

	// V5_0_0: from it on, a compressed registration body ends with the static
	// topics' mappings.
	V5_0_0 = 413

	// V5_3_1: above it, peers understand GoAway.
	V5_3_1 = 475

	V5_3_3 = 479

	// VHigher is the last entry of the table; larger values mean the same.
	VHigher = 612

	// ServerVersion is what this NameServer says of itself: it behaves as a
	// Java NameServer of that release.
	ServerVersion = V5_3_3
)
