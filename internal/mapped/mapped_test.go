package mapped

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
)

// resident is how much of the file is in memory of this process, in kB.
func resident(t *testing.T, path string) (kb int) {
	smaps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for lines := bufio.NewScanner(bytes.NewReader(smaps)); lines.Scan(); {
		switch line := lines.Text(); {
		case strings.HasSuffix(line, path):
			found = true
		case found && strings.HasPrefix(line, "Rss:"):
			if _, err := fmt.Sscanf(line, "Rss: %d kB", &kb); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			return kb
		}
	}
	t.Fatalf("%s is not mapped", path)
	return 0
}

// What is in the file is read as before after a Release, and again in memory
// only as far as it was read.
func TestRelease(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	name, value := []byte("bucket"), bytes.Repeat([]byte("value"), 1000)
	key := func(i int) []byte { return fmt.Appendf(nil, "key%04d", i) }
	const keys = 1000
	if err := db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucket(name)
		for i := 0; i < keys && err == nil; i++ {
			err = b.Put(key(i), value)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	all := func() {
		t.Helper()
		if err := db.View(func(tx *bbolt.Tx) error {
			for i := range keys {
				if !bytes.Equal(tx.Bucket(name).Get(key(i)), value) {
					t.Errorf("%s is not what was written", key(i))
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	all()
	if err := Release(db); err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS == "linux" {
		// Release itself looks at the file's first pages.
		if kb := resident(t, path); kb > keys*len(value)/1024/2 {
			t.Errorf("%d kB are resident", kb)
		}
	}
	all()
}
