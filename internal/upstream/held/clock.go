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

// note takes in a statement of a call from began to ended.
func (c *clock) note(said, began, ended time.Time) {
	if said.Before(c.said) {
		return
	}
	c.said = said
	// Ages are in milliseconds.
	if at := said.Add(ended.Sub(began) + time.Millisecond); at.After(c.until) {
		c.until = at
	}
}

// after is the moment to give for a statement, so that it comes after those
// that were made before it.
func (c *clock) after(said time.Time) time.Time {
	if said.After(c.said) && c.until.After(said) {
		return c.until
	}
	return said
}
