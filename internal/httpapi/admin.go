package httpapi

import (
	"context"
	"fmt"

	"signpost/core"
)

type permissionReply struct {
	Add  *int `json:"addTopicCount,omitempty"`
	Wipe *int `json:"wipeTopicCount,omitempty"`
}

// addWrite answers PUT /v1/admin/write-permission (request code 327). A broker
// that is not known has no topics.
func (s *Server) addWrite(ctx context.Context, req *request) (answer, error) {
	broker, err := s.brokerParam(ctx, req)
	if err != nil {
		return answer{}, err
	}
	n, raised, err := s.o.Write.AddWrite(ctx, s.o.Now(), broker)
	return s.permission(permissionReply{Add: &n}, raised, err)
}

// wipeWrite answers DELETE /v1/admin/write-permission (request code 205).
func (s *Server) wipeWrite(ctx context.Context, req *request) (answer, error) {
	broker, err := s.brokerParam(ctx, req)
	if err != nil {
		return answer{}, err
	}
	n, raised, err := s.o.Write.WipeWrite(ctx, s.o.Now(), broker)
	return s.permission(permissionReply{Wipe: &n}, raised, err)
}

// brokerParam returns the broker that the call is about, which the caller has
// to be allowed to write.
func (s *Server) brokerParam(ctx context.Context, req *request) (string, error) {
	broker, err := req.params.need("broker")
	if err != nil {
		return "", err
	}
	return broker, s.mayBroker(ctx, req.caller, s.o.Now(), broker)
}

func (s *Server) permission(reply permissionReply, raised core.Revision, err error) (answer, error) {
	if err != nil {
		return answer{}, err
	}
	a, err := jsonAnswer(reply)
	a.revision = raised
	return a, err
}

// deleteTopic answers DELETE /v1/admin/topic (request code 216): from one
// cluster or, without one, from all.
func (s *Server) deleteTopic(ctx context.Context, req *request) (answer, error) {
	topic, err := req.params.need("topic")
	if err != nil {
		return answer{}, err
	}
	cluster, named := req.params["cluster"]
	switch {
	case named && cluster == "":
		// To take it for "all" would delete more than was meant.
		err = &core.FieldError{Field: "cluster", Reason: "is empty; without it the topic is deleted from all clusters"}
	case named:
		err = req.caller.may(cluster)
	default:
		err = req.caller.mayAll("a topic without a cluster")
	}
	if err != nil {
		return answer{}, err
	}
	raised, err := s.o.Write.DeleteTopic(ctx, s.o.Now(), topic, cluster)
	return answer{revision: raised}, err
}

type kvTable struct {
	Table map[string]string `json:"table"`
}

// getKV answers GET /v1/read/kv: a namespace, or one key of it. No revision
// speaks for it, so that it is not to be kept.
func (s *Server) getKV(ctx context.Context, req *request) (answer, error) {
	namespace, err := req.params.need("namespace")
	if err != nil {
		return answer{}, err
	}
	revision, err := s.readRevision(ctx, 0, false)
	if err != nil {
		return answer{}, err
	}
	table, err := s.o.Read.KV(ctx, namespace)
	if err != nil {
		return answer{}, err
	}
	if key, one := req.params["key"]; one {
		value, ok := table[key]
		if !ok {
			return answer{}, fmt.Errorf("key %q of namespace %q: %w", key, namespace, core.ErrNotFound)
		}
		table = map[string]string{key: value}
	}
	a, err := jsonAnswer(kvTable{table})
	return a.at(revision, 0), err
}

// maxValue bounds a KV value, in bytes. A thousand brokers fit into an order
// configuration of that size.
const maxValue = 64 << 10

// putKV answers PUT /v1/admin/kv (request code 100).
func (s *Server) putKV(ctx context.Context, req *request) (answer, error) {
	namespace, key, err := kvParams(req)
	if err != nil {
		return answer{}, err
	}
	body, err := s.readBody(req)
	if err != nil {
		return answer{}, err
	}
	var value *string
	err = readObject(body, "", members{"value": func(text []byte) error {
		value = new(string)
		return readString(text, value)
	}})
	switch {
	case err != nil:
		return answer{}, err
	case value == nil:
		return answer{}, &core.FieldError{Field: "value", Reason: "is missing"}
	case len(*value) > maxValue:
		return answer{}, &core.FieldError{Field: "value", Reason: fmt.Sprintf("is longer than %d bytes", maxValue)}
	}
	raised, err := s.o.Write.PutKV(ctx, namespace, key, *value)
	return answer{revision: raised}, err
}

// deleteKV answers DELETE /v1/admin/kv (request code 102). A key that is not
// there is no error.
func (s *Server) deleteKV(ctx context.Context, req *request) (answer, error) {
	namespace, key, err := kvParams(req)
	if err != nil {
		return answer{}, err
	}
	raised, err := s.o.Write.DeleteKV(ctx, namespace, key)
	return answer{revision: raised}, err
}

func kvParams(req *request) (namespace, key string, err error) {
	if err = req.caller.mayAll("KV"); err != nil {
		return "", "", err
	}
	if namespace, err = req.params.need("namespace"); err != nil {
		return "", "", err
	}
	key, err = req.params.need("key")
	return namespace, key, err
}
