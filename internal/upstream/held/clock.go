package held

import "time"

// clock keeps the order of what is said about one group although calls take
// time. The cloud stamps a statement when it arrives, less its age: one that was
// long on its way is stamped later than it was made, and a quicker one after it
// would look older, and change nothing (rule 2).
type clock struct {
	said  time.Time // the newest of the statements so far
	until time.Time // by when the cloud has stamped it, as a moment here
}

// note takes in a statement that was given as made at given, in a call from
// began to ended.
func (c *clock) note(said, given, began, ended time.Time) {
	if said.After(c.said) {
		c.said = said
	}
	// Ages are in milliseconds.
	if at := given.Add(ended.Sub(began) + time.Millisecond); at.After(c.until) {
		c.until = at
	}
}

// after is the moment to give for a statement, so that it comes after those
// that were made before it, and after itself when it is repeated.
func (c *clock) after(said time.Time) time.Time {
	if !said.Before(c.said) && c.until.After(said) {
		return c.until
	}
	return said
}

// after is the moment to give for what is said at said about the replica.
func (g *group) after(r *replica, said time.Time) time.Time {
	a, b := g.clock.after(said), r.clock.after(said)
	if b.After(a) {
		return b
	}
	return a
}
