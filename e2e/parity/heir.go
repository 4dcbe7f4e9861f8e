package parity

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// succeed lets the brokers that have become the lowest of their group, and are
// slaves, register once more with all servers. What they have counts from then
// on in Java; a shim says it again for them as soon as it hears of it.
func (r *Run) succeed(ctx context.Context) error {
	now, err := r.pair.Java.observe(ctx, r.names, r.queries)
	if err != nil {
		return fmt.Errorf("Java: %w", err)
	}
	for b := range Brokers {
		heir := r.lowestOf(now, b)
		if heir == "" || heir == r.lowestOf(r.java, b) {
			continue
		}
		for _, step := range slices.Backward(r.Steps) {
			again, ok := step.(Register)
			if !ok || again.Broker != b || again.ID == 0 || r.names.short(r.names.addr(b, again.Addr)) != heir {
				continue
			}
			for _, s := range r.pair.all() {
				if _, err := again.do(ctx, s, r.names); err != nil {
					return fmt.Errorf("%s succeeds: %w", heir, err)
				}
			}
			break
		}
	}
	return nil
}

// lowestOf is the address of the lowest id in a broker's group, "" if nobody is.
func (r *Run) lowestOf(f Facts, broker int) (addr string) {
	prefix := "106: body.brokerAddrTable." + r.names.short(r.names.broker(broker)) + ".brokerAddrs."
	lowest := int64(-1)
	for fact, value := range f {
		id, err := strconv.ParseInt(strings.TrimPrefix(fact, prefix), 10, 64)
		if strings.HasPrefix(fact, prefix) && err == nil && (lowest < 0 || id < lowest) {
			lowest, addr = id, strings.Trim(value, `"`)
		}
	}
	if lowest <= 0 {
		return ""
	}
	return addr
}
