package acl

import (
	"testing"

	"signpost/internal/remoting"
)

// TestEveryRequestCodeHasAClass goes through all that remoting knows; a test of
// nameserver goes through all that is served.
func TestEveryRequestCodeHasAClass(t *testing.T) {
	noRequests := map[remoting.Code]bool{
		remoting.Success: true, remoting.SystemError: true, remoting.SystemBusy: true, remoting.RequestCodeNotSupported: true,
		remoting.NoPermission: true, remoting.TopicNotExist: true, remoting.QueryNotFound: true, remoting.GoAway: true,
		remoting.NotifyMinBrokerIDChange: true, // from here to brokers
	}
	for code := remoting.Code(-10); code < 5000; code++ {
		want := code.Known() && !noRequests[code]
		switch class := ClassOf(code); class {
		case Read, Register, Admin:
			if !want {
				t.Errorf("%v has class %v", code, class)
			}
		default:
			if want || class != none {
				t.Errorf("%v has class %d", code, class)
			}
		}
	}
}
