package follow

// KnownOrder returns the order configuration if it may be answered at once, as
// Known does of routes; nil if there is none. It never waits. It is not to be
// modified.
func (f *Follower) KnownOrder() (table map[string]string, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.order.table, f.order.known && (!f.order.stale || f.link.cut.Load())
}
