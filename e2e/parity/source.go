package parity

import (
	"fmt"
	"reflect"
	"strings"

	"signpost/internal/wire"
)

// Source returns the steps as Go source, ready for the table of past failures.
// What is zero is left out.
func Source(steps []Step) string {
	var b strings.Builder
	for _, s := range steps {
		v := reflect.ValueOf(s)
		b.WriteString(v.Type().Name())
		writeFields(&b, v)
		b.WriteString(",\n")
	}
	return b.String()
}

// writeFields writes what is between a struct's braces, with them.
func writeFields(b *strings.Builder, v reflect.Value) {
	b.WriteString("{")
	some := false
	for i := range v.NumField() {
		if f := v.Field(i); f.IsZero() || f.Kind() == reflect.Slice && f.Len() == 0 {
			continue
		}
		if some {
			b.WriteString(", ")
		}
		some = true
		fmt.Fprintf(b, "%s: ", v.Type().Field(i).Name)
		writeValue(b, v.Field(i))
	}
	b.WriteString("}")
}

func writeValue(b *strings.Builder, v reflect.Value) {
	if form, ok := v.Interface().(wire.RegistrationForm); ok {
		b.WriteString(map[wire.RegistrationForm]string{
			wire.JSON4: "wire.JSON4", wire.JSON5: "wire.JSON5", wire.Compact4: "wire.Compact4", wire.Compact5: "wire.Compact5",
		}[form])
		return
	}
	switch v.Kind() {
	case reflect.Slice:
		element := v.Type().Elem()
		fmt.Fprintf(b, "[]%s{", element.Name())
		for i := range v.Len() {
			if i > 0 {
				b.WriteString(", ")
			}
			if element.Kind() == reflect.Struct {
				writeFields(b, v.Index(i))
			} else {
				writeValue(b, v.Index(i))
			}
		}
		b.WriteString("}")
	case reflect.String:
		fmt.Fprintf(b, "%q", v.String())
	default:
		fmt.Fprint(b, v.Interface())
	}
}
