package storetest

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"

	"signpost/core"
)

// canonical writes a value so that two are written alike if a store may give
// back one for the other: times are compared to the millisecond and without
// their zones, and empty lists are nil ones. Maps may tell absent from empty.
func canonical(v any) string {
	var b strings.Builder
	writeCanonical(&b, reflect.ValueOf(v))
	return b.String()
}

func writeCanonical(b *strings.Builder, v reflect.Value) {
	if !v.IsValid() {
		b.WriteString("nil")
		return
	}
	if t, ok := v.Interface().(time.Time); ok {
		if t.IsZero() {
			b.WriteString("never")
			return
		}
		b.WriteString(t.UTC().Format("15:04:05.000"))
		if day := t.UTC().Format(time.DateOnly); day != epoch.Format(time.DateOnly) {
			b.WriteString("/" + day)
		}
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		b.WriteString("{")
		for i := range v.NumField() {
			if !v.Type().Field(i).IsExported() || isNone(v.Field(i)) {
				continue
			}
			b.WriteString(v.Type().Field(i).Name + ":")
			writeCanonical(b, v.Field(i))
			b.WriteString(" ")
		}
		b.WriteString("}")
	case reflect.Slice:
		b.WriteString("[")
		for i := range v.Len() {
			writeCanonical(b, v.Index(i))
			b.WriteString(" ")
		}
		b.WriteString("]")
	case reflect.Pointer:
		writeCanonical(b, v.Elem())
	case reflect.Map:
		if v.IsNil() {
			b.WriteString("nil")
			return
		}
		var entries []string
		for key, value := range v.Seq2() {
			entries = append(entries, fmt.Sprintf("%#v:%#v", key.Interface(), value.Interface()))
		}
		slices.Sort(entries)
		b.WriteString("map" + fmt.Sprint(entries))
	default:
		fmt.Fprintf(b, "%#v", v.Interface())
	}
}

// isNone says whether a field may as well not be there.
func isNone(v reflect.Value) bool {
	if t, ok := v.Interface().(time.Time); ok {
		return t.IsZero()
	}
	return v.IsZero() || v.Kind() == reflect.Slice && v.Len() == 0
}

// filler gives every exported field of a value something of its own, so that a
// field that a store forgets is noticed, were it added tomorrow.
type filler struct{ n int64 }

func (f *filler) fill(v reflect.Value) {
	f.n++
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(epoch.Add(time.Duration(f.n) * time.Second)))
		return
	case time.Duration:
		v.SetInt(f.n * int64(time.Second))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				f.fill(v.Field(i))
			}
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		f.fill(v.Index(0))
		f.fill(v.Index(1))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		f.fill(key)
		f.fill(value)
		v.SetMapIndex(key, value)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(v.Elem())
	case reflect.String:
		v.SetString(fmt.Sprintf("text-%d é", f.n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Uint8: // the enumerations of core, which have two values beside 0 at least
		v.SetUint(uint64(1 + f.n%2))
	case reflect.Uint64:
		v.SetUint(math.MaxUint64 - uint64(f.n))
	case reflect.Int32:
		v.SetInt(math.MaxInt32 - f.n)
	case reflect.Int64:
		v.SetInt(math.MaxInt64 - f.n)
	case reflect.Int:
		v.SetInt(f.n)
	default:
		panic(fmt.Sprintf("no value for a %s", v.Type()))
	}
}

func filled[T any](start int64) T {
	var v T
	(&filler{n: start}).fill(reflect.ValueOf(&v).Elem())
	return v
}

// fullGroup returns a group that says something in every field.
func fullGroup(name string) core.Group {
	g := filled[core.Group](100)
	g.Name, g.Version = name, 0
	slices.SortFunc(g.Replicas, func(a, b core.Replica) int { return int(a.ID - b.ID) })
	for _, r := range g.Replicas { // a lease is a front's or a session's
		r.Leases[0].Session, r.Leases[1].Front = "", ""
	}
	return g
}

// fullTopic returns a topic that says something in every field.
func fullTopic(name string) core.Topic {
	t := filled[core.Topic](300)
	t.Name, t.Mapping.Topic = name, name
	return t
}

// newReplica returns a replica with one direct lease, both of said.
func newReplica(id int64, addr string, said time.Time) core.Replica {
	return core.Replica{ID: id, Addr: addr, Timeout: core.DefaultTimeout, Said: said, Leases: []core.Lease{{Said: said}}}
}

func newTopic(name string, queues int32) core.Topic {
	return core.Topic{Name: name, Queues: core.Queues{Read: queues, Write: queues, Perm: core.PermReadWrite}}
}

// oddNames are names that have been in the way of one store or another.
func oddNames() []string {
	return []string{
		"%RETRY%group", "a b", "a/b", "a#b", "a|b", "a\x00b", "Größe 主题 🚚", "../up", "UPPER", "upper", "'\"`", strings.Repeat("long", 60),
	}
}
