package acl

import "signpost/internal/remoting"

// Class is a class of permission; each request code has exactly one. The HTTP
// API has the same three, as the first part of its paths.
type Class uint8

// The classes. An account has any of them, none includes another.
const (
	Read     Class = 1 << iota // look things up
	Register                   // what brokers say of themselves
	Admin                      // what operators do

	none Class = 0 // of codes that are not served
)

// String returns the word that stands for c in the file of accounts.
func (c Class) String() string {
	switch c {
	case Read:
		return "read"
	case Register:
		return "register"
	case Admin:
		return "admin"
	}
	return "none"
}

// classNamed returns the class that a word stands for.
func classNamed(word string) (c Class, known bool) {
	for _, c := range []Class{Read, Register, Admin} {
		if word == c.String() {
			return c, true
		}
	}
	return none, false
}

// ClassOf returns the class that a request needs. Of a code that no NameServer
// serves it is none of the constants, and nobody has it.
func ClassOf(code remoting.Code) Class {
	switch code {
	case remoting.GetKVConfig,
		remoting.GetRouteInfoByTopic,
		remoting.GetBrokerClusterInfo,
		remoting.GetAllTopicListFromNameServer,
		remoting.GetKVListByNamespace,
		remoting.GetTopicsByCluster,
		remoting.GetSystemTopicListFromNameServer,
		remoting.GetUnitTopicList,
		remoting.GetHasUnitSubTopicList,
		remoting.GetHasUnitSubUnunitTopicList,
		remoting.GetBrokerMemberGroup:
		return Read
	case remoting.RegisterBroker,
		remoting.UnregisterBroker,
		remoting.RegisterTopicInNameServer,
		remoting.QueryDataVersion, // a heartbeat as well
		remoting.BrokerHeartbeat:
		return Register
	case remoting.PutKVConfig,
		remoting.DeleteKVConfig,
		remoting.WipeWritePermOfBroker,
		remoting.AddWritePermOfBroker,
		remoting.DeleteTopicInNameServer,
		remoting.UpdateNameServerConfig,
		remoting.GetNameServerConfig: // paths and addresses of this machine
		return Admin
	}
	return none
}
