// Package mapped keeps bbolt's files from counting as memory of the process.
// bbolt maps the whole file and reads a page of it for most of what it writes,
// so after a while all of it is resident, though the system has it in its
// cache anyway.
package mapped

import (
	"fmt"

	"go.etcd.io/bbolt"
)

// Release unmaps the pages of the file that were read so far. What is read
// again comes back from the system's cache.
func Release(db *bbolt.DB) error {
	// While a transaction is open the file is not mapped elsewhere.
	err := db.View(func(tx *bbolt.Tx) error { return release(db.Info().Data, uintptr(tx.Size())) })
	if err != nil {
		return fmt.Errorf("release the pages of %s: %w", db.Path(), err)
	}
	return nil
}
