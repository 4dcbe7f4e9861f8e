// Package mapped is for what bbolt's mapping of its whole file brings with it.
// It reads a page of it for most of what it writes, so after a while all of it
// is resident, though the system has it in its cache anyway. And it believes
// what it finds there: a file that is damaged, or cut short under it, makes it
// panic, or the memory fault.
package mapped

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"

	"go.etcd.io/bbolt"
)

var errDamaged = errors.New("the file is damaged")

// Guard turns a panic over the content of a file, or a fault in the memory that
// it is mapped to, into an error that is also the one given. What it returns is
// to be deferred.
func Guard(err *error, damaged error) func() {
	faults := debug.SetPanicOnFault(true)
	return func() {
		debug.SetPanicOnFault(faults)
		switch p := recover().(type) {
		case nil:
		case runtime.Error: // it says where in bbolt, not what is wrong
			*err = fmt.Errorf("%w: not readable", damaged)
		default:
			*err = fmt.Errorf("%w: %v", damaged, p)
		}
	}
}

// Release unmaps the pages of the file that were read so far, so that they do
// not count as memory of the process. What is read again comes back from the
// system's cache.
func Release(db *bbolt.DB) (err error) {
	defer Guard(&err, errDamaged)()
	// While a transaction is open the file is not mapped elsewhere.
	err = db.View(func(tx *bbolt.Tx) error { return release(db.Info().Data, uintptr(tx.Size())) })
	if err != nil {
		return fmt.Errorf("release the pages of %s: %w", db.Path(), err)
	}
	return nil
}
