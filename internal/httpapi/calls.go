package httpapi

import (
	"context"
	"net/http"
	"slices"
	"strings"
)

const pathBroker = "/v1/register/broker"

// call is one call of the API.
type call struct {
	method string
	path   string
	params []string // query parameters that it takes
	serve  func(*Server, context.Context, *request) (answer, error)
}

func (c call) String() string { return c.method + " " + c.path }

// class is the permission class: read, register or admin.
func (c call) class() string { return strings.Split(c.path, "/")[2] }

// calls lists the API.
func calls() []call {
	const get, put, post, del = http.MethodGet, http.MethodPut, http.MethodPost, http.MethodDelete
	return []call{
		{put, pathBroker, nil, (*Server).registerBroker},
		{put, "/v1/register/session", []string{"id", "open", "gateway", "revision"}, (*Server).beatSession},
		{post, "/v1/register/beats", nil, (*Server).beats},
		{post, "/v1/register/unregister", nil, (*Server).unregister},
		{put, "/v1/register/queues", []string{"topic"}, (*Server).registerQueues},

		{get, "/v1/read/route", []string{"topic", "zone", "consistent", "revision"}, (*Server).getRoute},
		{post, "/v1/read/routes", nil, (*Server).getRoutes},
		{get, "/v1/read/topics", []string{"cluster", "kind"}, (*Server).getTopics},
		{get, "/v1/read/clusters", nil, (*Server).getClusters},
		{get, "/v1/read/group", []string{"cluster", "broker"}, (*Server).getGroup},
		{get, "/v1/read/leases", []string{"session"}, (*Server).getLeases},
		{get, "/v1/read/kv", []string{"namespace", "key"}, (*Server).getKV},

		{put, "/v1/admin/write-permission", []string{"broker"}, (*Server).addWrite},
		{del, "/v1/admin/write-permission", []string{"broker"}, (*Server).wipeWrite},
		{del, "/v1/admin/topic", []string{"topic", "cluster"}, (*Server).deleteTopic},
		{put, "/v1/admin/kv", []string{"namespace", "key"}, (*Server).putKV},
		{del, "/v1/admin/kv", []string{"namespace", "key"}, (*Server).deleteKV},
	}
}

// Routes returns "METHOD /path" of every call, sorted, for those who have to
// list them elsewhere.
func Routes() []string {
	var routes []string
	for _, c := range calls() {
		routes = append(routes, c.String())
	}
	slices.Sort(routes)
	return routes
}
