package api

import (
	"sync"
	"time"
)

// minSkew is what a clock has to be off for a refused signature to be blamed
// on it. The API takes some minutes (SigV4: 5), and its Date is whole seconds.
const minSkew = 30 * time.Second

// clock is how far the API's clock is ahead of this machine's: 0 until the API
// refuses a signature while its Date is far from ours.
type clock struct {
	mu     sync.Mutex
	offset time.Duration
}

func (k *clock) get() time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.offset
}

// refused takes the offset that an answer shows to a request that was signed
// with the offset used. news says that it is another one from now on, again
// that the request would be signed otherwise now.
func (k *clock) refused(used, shown time.Duration) (news, again bool) {
	if (shown - used).Abs() < minSkew {
		return false, false // it was not the clock
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if (shown - k.offset).Abs() < minSkew {
		return false, true // somebody else has learned it meanwhile
	}
	k.offset = shown
	return true, true
}
