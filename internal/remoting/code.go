package remoting

import "strconv"

// Code is a request code in requests and a response code in responses. The
// two sets share one field on the wire; among the codes a NameServer knows, no
// number has both meanings. It is an int32 in JSON and an int16 in the binary
// encoding.
type Code int32

// Request codes that a NameServer serves, and NotifyMinBrokerIDChange, which
// it sends (Java: RequestCode).
const (
	PutKVConfig                      Code = 100
	GetKVConfig                      Code = 101
	DeleteKVConfig                   Code = 102
	RegisterBroker                   Code = 103
	UnregisterBroker                 Code = 104
	GetRouteInfoByTopic              Code = 105
	GetBrokerClusterInfo             Code = 106
	WipeWritePermOfBroker            Code = 205
	GetAllTopicListFromNameServer    Code = 206
	DeleteTopicInNameServer          Code = 216
	RegisterTopicInNameServer        Code = 217 // since 5.0.0
	GetKVListByNamespace             Code = 219
	GetTopicsByCluster               Code = 224
	GetSystemTopicListFromNameServer Code = 304
	GetUnitTopicList                 Code = 311
	GetHasUnitSubTopicList           Code = 312
	GetHasUnitSubUnunitTopicList     Code = 313
	UpdateNameServerConfig           Code = 318
	GetNameServerConfig              Code = 319
	QueryDataVersion                 Code = 322
	AddWritePermOfBroker             Code = 327 // since 4.9.0
	GetBrokerMemberGroup             Code = 901 // since 5.0.0
	BrokerHeartbeat                  Code = 904 // since 5.0.0
	NotifyMinBrokerIDChange          Code = 905 // NameServer to broker, oneway, since 5.0.0
)

// Response codes that a NameServer answers with (Java: ResponseCode and
// RemotingSysResponseCode).
const (
	Success                 Code = 0
	SystemError             Code = 1
	SystemBusy              Code = 2
	RequestCodeNotSupported Code = 3
	NoPermission            Code = 16
	TopicNotExist           Code = 17
	QueryNotFound           Code = 22
	GoAway                  Code = 1500 // a stopping server, to peers newer than V5_3_1
)

// String returns the name that RocketMQ's documentation and sources use, such
// as GET_ROUTEINFO_BY_TOPIC, or CODE_<number> for a code that no NameServer
// knows. Peers choose that number: it is no label for a metric.
func (c Code) String() string {
	if name := c.name(); name != "" {
		return name
	}
	return "CODE_" + strconv.Itoa(int(c))
}

// Known reports whether c is one of the constants of this package.
func (c Code) Known() bool { return c.name() != "" }

func (c Code) name() string {
	switch c {
	case PutKVConfig:
		return "PUT_KV_CONFIG"
	case GetKVConfig:
		return "GET_KV_CONFIG"
	case DeleteKVConfig:
		return "DELETE_KV_CONFIG"
	case RegisterBroker:
		return "REGISTER_BROKER"
	case UnregisterBroker:
		return "UNREGISTER_BROKER"
	case GetRouteInfoByTopic:
		return "GET_ROUTEINFO_BY_TOPIC"
	case GetBrokerClusterInfo:
		return "GET_BROKER_CLUSTER_INFO"
	case WipeWritePermOfBroker:
		return "WIPE_WRITE_PERM_OF_BROKER"
	case GetAllTopicListFromNameServer:
		return "GET_ALL_TOPIC_LIST_FROM_NAMESERVER"
	case DeleteTopicInNameServer:
		return "DELETE_TOPIC_IN_NAMESRV"
	case RegisterTopicInNameServer:
		return "REGISTER_TOPIC_IN_NAMESRV"
	case GetKVListByNamespace:
		return "GET_KVLIST_BY_NAMESPACE"
	case GetTopicsByCluster:
		return "GET_TOPICS_BY_CLUSTER"
	case GetSystemTopicListFromNameServer:
		return "GET_SYSTEM_TOPIC_LIST_FROM_NS"
	case GetUnitTopicList:
		return "GET_UNIT_TOPIC_LIST"
	case GetHasUnitSubTopicList:
		return "GET_HAS_UNIT_SUB_TOPIC_LIST"
	case GetHasUnitSubUnunitTopicList:
		return "GET_HAS_UNIT_SUB_UNUNIT_TOPIC_LIST"
	case UpdateNameServerConfig:
		return "UPDATE_NAMESRV_CONFIG"
	case GetNameServerConfig:
		return "GET_NAMESRV_CONFIG"
	case QueryDataVersion:
		return "QUERY_DATA_VERSION"
	case AddWritePermOfBroker:
		return "ADD_WRITE_PERM_OF_BROKER"
	case GetBrokerMemberGroup:
		return "GET_BROKER_MEMBER_GROUP"
	case BrokerHeartbeat:
		return "BROKER_HEARTBEAT"
	case NotifyMinBrokerIDChange:
		return "NOTIFY_MIN_BROKER_ID_CHANGE"
	case Success:
		return "SUCCESS"
	case SystemError:
		return "SYSTEM_ERROR"
	case SystemBusy:
		return "SYSTEM_BUSY"
	case RequestCodeNotSupported:
		return "REQUEST_CODE_NOT_SUPPORTED"
	case NoPermission:
		return "NO_PERMISSION"
	case TopicNotExist:
		return "TOPIC_NOT_EXIST"
	case QueryNotFound:
		return "QUERY_NOT_FOUND"
	case GoAway:
		return "GO_AWAY"
	}
	return ""
}
