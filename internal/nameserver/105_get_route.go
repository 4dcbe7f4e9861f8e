package nameserver

import (
	"context"
	"errors"
	"strings"

	"signpost/core"
	"signpost/internal/remoting"
	"signpost/internal/wire"
)

const noRouteHelp = "https://rocketmq.apache.org/docs/bestPractice/06FAQ"

// ProductRoutes looks a topic up in the product environment. core.ErrNoTopic
// says that it has no route there either.
type ProductRoutes interface {
	Route(ctx context.Context, topic string) (*core.Route, error)
}

// getRoute answers GET_ROUTEINFO_BY_TOPIC.
//
// Fields: topic; from 4.9 acceptStandardJsonOnly; 5.x: __ZONE_MODE,
// __ZONE_NAME. Answer: TopicRouteData, encoded once per change, or code 17.
// Zones are answered in the asker's own JSON form (Java falls back to the
// plain one). With needWaitForService nothing is answered in the first seconds.
//
// It is a passing handler: the registry clones the topic where it keeps it.
func (s *Server) getRoute(ctx context.Context, req *request) (reply, error) {
	now := req.arrived
	if now.Before(s.o.Switches().ServiceFrom) {
		return reply{}, &codedError{code: remoting.SystemError, text: "name server not ready"}
	}
	topic := req.field("topic")
	route, err := s.o.Registry.Route(ctx, now, topic)
	if errors.Is(err, core.ErrNoTopic) && s.o.Product != nil {
		route, err = s.productRoute(ctx, topic)
	}
	return s.routed(req, route, err)
}

// knownRoute answers what is known without waiting, and leaves all else to
// getRoute.
func (s *Server) knownRoute(req *request) (reply, bool) {
	if req.arrived.Before(s.o.Switches().ServiceFrom) {
		return reply{}, false
	}
	route, err, ok := s.o.Known.KnownRoute(req.arrived, req.field("topic"))
	if !ok || err != nil && s.o.Product != nil {
		return reply{}, false
	}
	rep, err := s.routed(req, route, err)
	if err != nil {
		rep = s.failure(req, err)
	}
	return rep, true
}

// routed shows a route to this peer.
func (s *Server) routed(req *request, route *core.Route, err error) (reply, error) {
	if errors.Is(err, core.ErrNoTopic) {
		return reply{}, &codedError{code: remoting.TopicNotExist,
			text: "No topic route info in name server for the topic: " + req.orNull("topic") + "\nSee " + noRouteHelp + " for further details."}
	}
	if err != nil {
		return reply{}, err
	}
	route = req.conn.addresses().Route(route)
	form := wire.FormFor(req.cmd.Version, req.flag("acceptStandardJsonOnly"))
	if req.flag("__ZONE_MODE") {
		if zone := req.field("__ZONE_NAME"); strings.TrimSpace(zone) != "" {
			return reply{body: wire.AppendRoute(nil, route.Near(zone), form)}, nil
		}
	}
	return reply{body: wire.Route(route, form)}, nil
}

// productRoute asks the product environment, if this is a test environment
// beside one. Java 5.x then answers every code as if it were 105; here it is
// 105 only.
func (s *Server) productRoute(ctx context.Context, topic string) (*core.Route, error) {
	defer core.Waiting(ctx)()
	route, err := s.o.Product.Route(ctx, topic)
	if err != nil && !errors.Is(err, core.ErrNoTopic) {
		s.o.Log.Warn("product environment not asked", "topic", topic, "error", err)
		err = &codedError{code: remoting.SystemError, text: "topic not found here, and the product environment cannot be asked"}
	}
	return route, err
}
