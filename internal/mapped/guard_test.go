package mapped

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"go.etcd.io/bbolt"
)

// What goes wrong with what a file says is an error that tells no more than an
// operator can use.
func TestGuard(t *testing.T) {
	damaged := errors.New("damaged")
	var none []byte
	for _, c := range []struct {
		name, want string
		do         func()
	}{
		{name: "nothing", do: func() {}},
		{name: "bbolt's panic", want: "damaged: page 3: multiple references", do: func() { panic("page 3: multiple references") }},
		{name: "a place that is not there", want: "damaged: not readable", do: func() { _ = none[len(damaged.Error())] }},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := func() (err error) {
				defer Guard(&err, damaged)()
				c.do()
				return nil
			}()
			switch {
			case c.want == "" && err != nil, c.want != "" && (!errors.Is(err, damaged) || fmt.Sprint(err) != c.want):
				t.Errorf("%v, not %q", err, c.want)
			}
		})
	}
}

// A file that is cut short while it is mapped is an error as well.
func TestGuardCutShort(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("other systems do not let a mapped file be cut short, or say it otherwise")
	}
	path := filepath.Join(t.TempDir(), "db")
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tx, err := db.Begin(false)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback() // before Close, which waits for it
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	damaged := errors.New("damaged")
	if err := func() (err error) {
		defer Guard(&err, damaged)()
		tx.Bucket([]byte("bucket"))
		return nil
	}(); !errors.Is(err, damaged) {
		t.Error(err)
	}
}
