package golden

import (
	"strings"

	"signpost/e2e/scenario"
)

// Accepted are the differences from the captures; COMPAT.md has their reasons.
var Accepted = []Rule{
	{OfTheTest, []Where{
		{nil, `config[^/]*/listing[^/]*/body\.(kvConfigPath|configStorePath)`, sameName},
		{v533, `config[^/]*/listing[^/]*/body\.bindAddress`, both(`"0.0.0.0"`, `"127.0.0.1"`)},
	}},

	// Answers in general.
	{"Answers have the members of 5.x for every client: clients of 4.x ignore members that they do not know.", []Where{
		{v4, `[^/]+/[^/]+/body\..+\.enableActingMaster`, boolean},
		{v4, `[^/]+/[^/]+/body\.stateVersion`, number},
		{v4, `(zone/[^/]+|register-by-5.3.3/[^/]+)/body\..+\.zoneName`, more},
	}},
	{"A queue's system flags are there under both names, topicSynFlag of 4.8 and topicSysFlag of later releases, unless a client is new enough to need only the later.", []Where{
		{[]string{"4.9.7", "5.3.3"}, `[^/]+/.+/body\.queueDatas\[.*\]\.topicSynFlag`, number},
		{v480, `[^/]+/.+/body\.queueDatas\[.*\]\.topicSysFlag`, number},
		{v480, `[^/]+/.+/body\.queueDatas\[.*\]\.topicSynFlag`, fewer},
		{v480, `[^/]+/.+/body\.form`, both("unquoted integer keys", "standard JSON")},
	}},
	{"The remark to an unknown topic (17) names the page of 5.x for every client: the page of 4.x is gone.", []Where{
		{v4, `[^/]+/.+/remark`, redirected},
	}},
	{"Remarks of errors say what is wrong, not which Java exception it was.", []Where{
		{nil, `[^/]+/.+/remark\.exception`, func(d scenario.Difference) bool { return d.Got != "" }},
	}},
	{"A code that is not known is answered with 3, as by 5.x: 4.x says nothing, and the client waits until its timeout.", []Where{
		{v4, `unknown-code/(code-.*|with-fields-and-body)/outcome`, answered(3)},
		{v4, `(header-binary/unknown-code|header-json/code-missing)/outcome`, answered(3)},
	}},
	{"In a binary header an empty value counts as absent, as since 4.9.", []Where{
		{v480, `header-binary/value-empty/remark`, func(d scenario.Difference) bool {
			return strings.HasPrefix(d.Want, noTopic+`\nSee`) && strings.HasPrefix(d.Got, noTopic+`null\nSee`)
		}},
		{v480, `kv-missing-fields/get-binary-empty-value/(code|remark|ext\.value)`, refused(noItem)},
	}},
	{"Every code of every release is answered.", []Where{
		{v4, `unknown-code/(register-topic|member-group|heartbeat)/outcome`, answered(0)},
		{v4, `acting-master-off/member-group-acting/outcome`, answered(0)},
		{v480, `(unknown-code/add-write-permission|write-permission/add[^/]*)/outcome`, answered(0)},
		{v480, `write-permission/added-[^/]+/body\.queueDatas\[broker-a\]\.perm`, given("6")},
		// 4.8.0 answers no add, so nobody waits for one before the wipe: either may be the last.
		{v480, `write-permission/wiped-after-add-[^/]+/body\.queueDatas\[broker-a\]\.perm`, given("6", "4")},
	}},
	{"A PROXY protocol prefix (v1, v2) is read on every connection, as by 5.x.", []Where{
		{v4, `frame-proxy/v[^/]+/outcome`, both("closed", "none")},
		{v4, `frame-proxy/extra/extra`, wanted("no more frames")},
	}},

	// 103, registrations.
	{"A registration is judged by its content: what changed under the same DataVersion is applied (Java ignores it).", []Where{
		{nil, `register-changed/(same-version-(other-queues|new-topic)|changed-one-gone)-(orders|payments)/body\.queueDatas\[broker-a\]\.(read|write)QueueNums`, given("16")},
		{v4, `register-changed/same-version-new-topic-refunds/(code|remark|body)`, found},
		{v4, `register-changed/other-state-[^/]+/body\.queueDatas\[broker-a\]\.(read|write)QueueNums`, both("10", "11")},
		{v4, `stale-state-version/route-after-state-[16]/body\.queueDatas\[broker-a\]\.(read|write)QueueNums`, both("7", "4")},
		{v4, `register-split/route-t3/(code|remark|body)`, found},
		{v4, `register-split/topics/body\.topicList\[t[34]\]`, more},
		{v533, `prime-slave/(true|false)-route-second-is-prime/body\.queueDatas\[broker-(true|false)\]\.(read|write)QueueNums`, both("4", "9")},
		{v533, `static-topic/route-same-version/body\.topicQueueMappingByBroker\.broker-a\.epoch`, both("1", "2")},
		{v4, `write-permission-brokers/route-new-topic/(code|remark|body)`, found},
	}},
	{"The override of wipeWritePerm and addWritePerm is a state of the broker: it covers topics that are registered later, too.", []Where{
		{v533, `write-permission-brokers/route-new-topic/body\.queueDatas\[broker-a\]\.perm`, both("6", "4")},
	}},
	{"A registration that fails is answered with 1, and the broker tries again: Java answers 0 where an exception came half way, and keeps what came before it.", []Where{
		{nil, `register-without-(name|cluster|addr)/register/(code|remark|ext)`, refused(``)},
		{nil, `register-without-(name|cluster|addr)/route/(code|remark|body)`, lost},
		{nil, `register-without-(name|cluster|addr)/(topics|cluster-topics)/body\.topicList\[(orders|payments)\]`, fewer},
		{nil, `register-without-(name|cluster|addr)/clusters/body\.(brokerAddrTable\.(broker-a|null)|clusterAddrTable\.(c1|null))`, fewer},
		{nil, `register-no-topics/(version|wrapper)-null/(code|remark|ext)`, refused(malformed)},
		{nil, `register-no-topics/clusters/body\.(brokerAddrTable\.broker-[fg]|clusterAddrTable\.c1\[broker-[fg]\])`, fewer},
		{nil, `register-topic-defaults/name-missing/(code|remark|ext)`, refused(malformed + "topicName: is missing")},
		{nil, `register-topic-defaults/route-after-nameless/body\.queueDatas\[broker-a\]\.perm`, both("7", "6")},
	}},
	{"A body with a member of the wrong kind, or a negative count, is refused, though Java makes something of it.", []Where{
		{nil, `register-bad-body/filters-is-text/(code|remark|ext)`, refused(malformed + "filterServerList: is not a list")},
		{nil, `register-bad-body/packed-negative-count/(code|remark|ext)`, refused(malformed + "topics: their number is -5")},
	}},
	{"A topic's filter type may be any word: nothing depends on it.", []Where{
		{nil, `register-bad-body/packed-unknown-filter-type/(code|remark\.exception|ext)`, taken},
	}},
	{"A deflated body is taken for one though the request says that it is plain, as 5.3.3 brokers with compressedRegister=true send it: Java refuses them.", []Where{
		{nil, `register-by-[^/]+/compressed-unsaid/(code|remark\.exception|ext)`, taken},
		{nil, `register-by-5\.3\.3/route-compressed-unsaid/body\.queueDatas\[broker-a\]\.(read|write)QueueNums`, given("3")},
		{v533, `register-by-5\.3\.3/route-without-mappings/body\.queueDatas\[broker-a\]\.(read|write)QueueNums`, both("2", "3")},
		{v4, `register-by-5\.3\.3/route-compressed-unsaid/body\.filterServerTable\.10\.0\.0\.1:10911`, more},
	}},
	{"Compressed registrations of 4.x and of 5.x are read by the version of their sender: 4.x servers read none of 5.x.", []Where{
		{v4, `register-by-4\.[89]\.[07]/compressed-with-5\.x-lines/(code|remark\.exception|ext)`, taken},
		{v4, `register-by-4\.[89]\.[07]/route-after-5\.x-lines/body\.queueDatas\[broker-a\]\.(read|write)QueueNums`, given("1")},
		{v4, `register-by-5\.3\.3/(compressed|compressed-with-mappings-412)/(code|remark\.exception|ext)`, taken},
		{v4, `register-by-5\.3\.3/route-(compressed|with-mappings-412)/body\.queueDatas\[broker-a\]\.(read|write)QueueNums`, given("2", "5")},
		{v4, `register-by-5\.3\.3/route-compressed/body\.filterServerTable\.10\.0\.0\.1:10911`, more},
		{v4, `register-by-5\.3\.3/compressed-without-mappings/(code|remark|ext)`, refused(malformed + "compressed data: ends too early")},
		{v4, `register-bad-body/packed-six-tokens/(code|remark\.exception|ext)`, taken},
		{v4, `register-bad-body/topics/body\.topicList\[t\]`, more},
	}},
	{"The form of a body is told by the body when the version does not fit it: Java reads a registration without a version as one of 3.0.10, without topics.", []Where{
		{nil, `register-versions/route-(none|36-modern)/(code|remark|body)`, found},
	}},
	{"A broker that is not known and registers one topic only is refused, as by 5.x, and leaves nothing behind: Java keeps it without addresses.", []Where{
		{v4, `register-one-topic/(first|again|slave-with-one)/(code|remark|ext\.(haServerAddr|masterAddr))`, refused(`"register broker failed"`)},
		{v4, `register-one-topic/route/(code|remark|body)`, lost},
		{nil, `register-one-topic/clusters/body\.(brokerAddrTable\.broker-a|clusterAddrTable\.c1)`, fewer},
		{nil, `register-one-topic/system-topics/body\.topicList\[(broker-a|c1)\]`, fewer},
		{v4, `register-one-topic/system-topics/body\.brokerAddr`, fewer},
		{v4, `register-one-topic/clusters-after-slave/body\.brokerAddrTable\.broker-a\.brokerAddrs\.1`, fewer},
	}},
	{"One broker name belongs to one cluster: another cluster's broker of that name is refused while the first lives, and the same address takes the name along; Java mixes the two.", []Where{
		{nil, `(cluster-same-name/register-(slave|master)-in-c2|slave/slave-of-other-cluster-name)/(code|remark|ext\.(haServerAddr|masterAddr))`,
			refused(`"broker name is in use by another cluster: broker-a is alive in cluster c1`)},
		{nil, `cluster-same-name/(clusters|route)/body\..*\.brokerAddrs\.1`, fewer},
		{nil, `cluster-same-name/clusters[^/]*/body\.clusterAddrTable\.c2`, fewer},
		{nil, `cluster-same-name/topics-c2/body\.topicList\[(orders|payments)\]`, fewer},
		{nil, `cluster-same-name/(route|clusters)-two-masters/body\..*\.brokerAddrs\.0`, both(`"10.0.0.2:10911"`, `"10.0.0.1:10911"`)},
		{nil, `cluster-same-name/clusters-after-unregister/body\.brokerAddrTable\.broker-a`, more},
		{nil, `cluster-same-name/route-after-unregister/(code|remark|body)`, found},
		{nil, `cluster-same-addr/(clusters|route)/body\..*\.cluster`, both(`"c1"`, `"c2"`)},
		{nil, `cluster-same-addr/clusters[^/]*/body\.clusterAddrTable\.c1`, fewer},
	}},
	{"With acting masters a group without a master is not writable, whatever its brokers said before: Java notices only when one leaves or changes.", []Where{
		{v4, `acting-master-off/route-[^/]+/body\.queueDatas\[broker-a\]\.perm`, func(d scenario.Difference) bool { return both("6", "4")(d) || both("7", "5")(d) }},
		{v533, `acting-master-old-broker/route-slave-true/body\.queueDatas\[broker-a\]\.perm`, both("6", "4")},
		{v533, `acting-master-old-broker/route-slave-true/body\.brokerDatas\[broker-a\]\.brokerAddrs\.0`, both(none, `"10.0.0.2:10911"`)},
		{v533, `acting-master-old-broker/route-slave-true/body\.brokerDatas\[broker-a\]\.brokerAddrs\.1`, both(`"10.0.0.2:10911"`, none)},
	}},

	// 104 and connections.
	{"A broker is unregistered by its address, as by 5.x: 4.x goes by the id, so that the late goodbye of a replaced master takes its successor.", []Where{
		{v4, `master-replaced/route-after-old-left/(code|remark|body)`, found},
		{v4, `master-replaced/clusters-after-old-left/body\.(brokerAddrTable\.broker-a|clusterAddrTable\.c1)`, more},
		{v4, `switch-role/route-after-leaving/body\.brokerDatas\[broker-a\]\.brokerAddrs\.3`, fewer},
		{v4, `unregister-mismatch/route-after-other-address/body\.brokerDatas\[broker-a\]\.brokerAddrs\.0`, more},
		{v4, `unregister-mismatch/route-after-other-id/body\.brokerDatas\[broker-a\]\.brokerAddrs\.0`, fewer},
		{v4, `unregister-missing-fields/route-no-address/(code|remark|body)`, found},
	}},
	{"A broker is unregistered only from the cluster that it is in: Java takes the addresses away and leaves the name in the other cluster's list.", []Where{
		{nil, `unregister-mismatch/(route|clusters)-after-other-cluster/body\..*\.brokerAddrs\.0`, more},
		{nil, `clusters/route-wrong-cluster/(code|remark|body)`, found},
		{nil, `clusters/clusters-wrong-cluster/body\.brokerAddrTable\.broker-b`, more},
	}},
	{"A broker is unregistered though its id is missing: 4.x fails, 5.x drops what is queued with it.", []Where{
		{v4, `unregister-missing-fields/(no-id|id-no-number|no-fields)/(code|remark\.exception)`, taken},
		{nil, `unregister-missing-fields/route-(no-id|id-no-number|no-cluster)/(code|remark|body)`, lost},
	}},
	{"A connection that closes takes all brokers that registered over it: Java takes one, and the others stay until their timeout.", []Where{
		{nil, `close-two-brokers/(route-changed|route-settled)/body\.(brokerDatas|queueDatas)\[broker-a\]`, fewer},
		{nil, `close-two-brokers/clusters-settled/body\.(brokerAddrTable\.broker-a|clusterAddrTable\.c1\[broker-a\])`, fewer},
	}},
	{"The connection of a broker that has timed out stays open until it is idle: the broker may register again over it.", []Where{
		{v533, `heartbeat-timeout/connection-closed/outcome`, both("closed", "none")},
	}},

	// 105, routes, and 106, 206 and other lists.
	{"Routes for one zone are for clients of every release, in the form that the client takes: Java 5.x writes them with unquoted keys, 4.x knows no zones.", []Where{
		{v533, `zone/route-[^/]+/body\.form`, both("unquoted integer keys", "standard JSON")},
		{v4, `zone/route-[^/]+/body\.((brokerDatas|queueDatas)\[broker-[abcd]\]|filterServerTable\.10\.0\.0\.[1-5]:10911)`, fewer},
	}},
	{"The queue mappings of a static topic go with their broker: Java shows them for ever.", []Where{
		{v533, `static-topic/route-b-gone/body\.topicQueueMappingByBroker\.broker-b`, fewer},
	}},
	{"The system topic list (304) has the address of the first broker by name: Java takes any.", []Where{
		{nil, `(clusters|brokers|lists-units-brokers)/system-topics/body\.brokerAddr`, both(`"10.0.0.2:10911"`, `"10.0.0.1:10911"`)},
	}},
	{"The unit lists (311, 312, 313) judge a topic by its first broker by name: Java takes any, which shows where brokers disagree.", []Where{
		{[]string{"4.9.7", "5.3.3"}, `lists-units-brokers/unit(-sub|-sub-ununit)?/body\.topicList\[(first|second)\]`, nil},
	}},

	// 216, deleting topics.
	{"A topic that was deleted comes back with the next registration of a broker that still has it, as in 5.x: in 4.x with the next changed one.", []Where{
		{v4, `delete-topic/route-after-unchanged/(code|remark|body)`, found},
	}},
	{"Deleting a topic of one cluster leaves the others', as since 4.9: 4.8 deletes it everywhere.", []Where{
		{v480, `delete-topic-cluster/route-(unknown-cluster|without-c2)/(code|remark|body)`, found},
	}},

	// 217, 322, 904.
	{"A topic that is registered alone (217) has to have a name.", []Where{
		{v533, `register-topic-mismatch/no-topic/(code|remark)`, refused(`"topic: is missing"`)},
	}},
	{"A DataVersion is asked for (322) by cluster, name and address, all of which have to be there: Java does not look at the name, 4.x not at the cluster.", []Where{
		{nil, `data-version(-errors/no-name|/other-name)/(ext\.changed|body)`, func(d scenario.Difference) bool {
			return both(`"false"`, `"true"`)(d) || d.Got == noBody
		}},
		{v4, `data-version/other-cluster/(ext\.changed|body)`, func(d scenario.Difference) bool {
			return both(`"false"`, `"true"`)(d) || d.Got == noBody
		}},
		{v4, `data-version-errors/no-(cluster|address|fields)/(code|remark|ext|ext\.changed|body)`, refused(`"`)},
	}},
	{"A question for a DataVersion (322) that brings none is answered that it has changed, as by 5.x.", []Where{
		{v4, `data-version-errors/no-body/(code|remark\.exception|ext|body)`, taken},
	}},

	// 100 to 102, 219, KV.
	{"What is put (100) has to have a namespace, a key and a value, the first two not empty: Java stores nothing under the name of nothing.", []Where{
		{nil, `kv/put-empty-names/(code|remark)`, refused(`"namespace: is missing"`)},
		{nil, `kv/get-empty-names/(code|remark|ext\.value)`, refused(noItem)},
		{nil, `kv-missing-fields/put-(without-value|binary-empty-value)/(code|remark)`, refused(`"value: is missing"`)},
		{nil, `kv-missing-fields/list-without-value/(code|remark|body)`, refused(noItem)},
		{v480, `kv-missing-fields/put-without-(namespace|key|fields)/(code|remark)`, refused(`"namespace or key is null"`)},
		{v480, `kv-missing-fields/(get-without-(namespace|key)|list-without-namespace|list-unknown-field)/(code|remark|ext\.value|body)`, refused(noItem)},
	}},

	// 318 and 319, the configuration.
	{"The configuration (319) lists the keys of all releases and those of this server.", []Where{
		{nil, `config[^/]*/listing[^/]*/body\.` + ownKeys, more},
		{v4, `config[^/]*/listing[^/]*/body\.` + newKeys, more},
		{v480, `config[^/]*/listing[^/]*/body\.(writeBuffer(High|Low)WaterMark|serverSocketBacklog)`, more},
		{v480, `config[^/]*/listing[^/]*/body\.serverSocket(Snd|Rcv)BufSize`, both(`"65535"`, `"0"`)},
	}},
	{"Paths, and what is on the black list of 5.x, are never changed over the network (318).", []Where{
		{v4, `config-refused/(black-list|home|kv-path|store-path|path-and-more)/(code|remark)`, refused(`"Can not update config in black list."`)},
		{v497, `config-refused/[^/]+/remark`, both(`"Can not update config path"`, `"Can not update config in black list."`)},
		{v4, `config-refused/listing/body\.(rocketmqHome|kvConfigPath|configStorePath)`, wanted(`"elsewhere"`, `"other.json"`, `"other.conf"`)},
		{v480, `config-refused/listing/body\.orderMessageEnable`, both(`"true"`, `"false"`)},
	}},
	{"A value that is neither true nor false is ignored: Java takes it for false.", []Where{
		{nil, `config/listing-(at-the-end|binary)/body\.orderMessageEnable`, both(`"false"`, `"true"`)},
		{nil, `config/route-not-ordered/body\.orderTopicConf`, more},
	}},
}

const (
	ownKeys = `(acl(Enable|File)|allowRemoteConfig|brokerTimeoutMillis|drainSeconds|guardSeconds|httpAddr|log(Format|Level)|max[A-Z]\w+|pprof|readTimeoutMillis|writeTimeoutMillis|store|tls\..+)`
	newKeys = `(bindAddress|clientRequestThreadPool\w+|configBlackList|defaultThreadPool\w+|deleteTopicWithBrokerRegistration|enable(AllTopicList|ControllerInNamesrv|ShutdownGracefully|TopicList)|` +
		`needWaitForService|notifyMinBrokerIdChanged|returnOrderTopicConfigToBroker|scanNotActiveBrokerInterval|serverNettyWorkerGroupEnable|shutdownWaitTimeSeconds|` +
		`supportActingMaster|unRegisterBrokerQueueCapacity|waitSecondsForService)`
)
