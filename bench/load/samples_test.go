package load

import (
	"testing"
	"time"
)

func TestPercentile(t *testing.T) {
	const us = time.Microsecond
	var hundred Samples
	for i := 100; i >= 1; i-- {
		hundred.Add(time.Duration(i) * us)
	}
	var three, one, none Samples
	for _, d := range []time.Duration{30, 10, 20} {
		three.Add(d * us)
	}
	one.Add(5 * us)
	for _, tt := range []struct {
		name    string
		samples *Samples
		p       float64
		want    time.Duration
	}{
		{"99 of 100", &hundred, 99, 99 * us},
		{"50 of 100", &hundred, 50, 50 * us},
		{"100 of 100", &hundred, 100, 100 * us},
		{"between two ranks", &hundred, 98.5, 99 * us},
		{"0", &hundred, 0, us},
		{"99 of few", &three, 99, 30 * us},
		{"a third", &three, 33, 10 * us},
		{"one", &one, 99, 5 * us},
		{"none", &none, 99, 0},
	} {
		if got := tt.samples.Percentile(tt.p); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
	hundred.Add(500 * us) // after sorting
	if got := hundred.Percentile(100); got != 500*us {
		t.Errorf("a late sample is lost: the highest is %v", got)
	}
	one.Add(-time.Second)
	if got := one.Percentile(0); got != 0 {
		t.Errorf("a negative latency counts as %v", got)
	}
}
