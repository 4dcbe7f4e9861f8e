package core

import (
	"context"
	"fmt"
)

// KV returns a namespace's values; they are not to be modified. ErrNotFound if
// the namespace never held one.
func (r *Registry) KV(ctx context.Context, namespace string) (map[string]string, error) {
	return r.store.KV(ctx, namespace)
}

// PutKV stores a value (request code 100), durably when it returns, and returns
// the revision that it raised; 0 if the value is in no route.
func (r *Registry) PutKV(ctx context.Context, namespace, key, value string) (Revision, error) {
	switch {
	case namespace == "":
		return 0, &FieldError{Field: "namespace", Reason: "is missing"}
	case key == "":
		return 0, &FieldError{Field: "key", Reason: "is missing"}
	}
	if err := r.store.PutKV(ctx, namespace, key, value); err != nil {
		return 0, fmt.Errorf("store %s/%s: %w", namespace, key, err)
	}
	return r.orderChanged(ctx, namespace, key)
}

// DeleteKV removes a key (request code 102), durably when it returns, and
// returns the revision that it raised. A key that is not there is no error.
func (r *Registry) DeleteKV(ctx context.Context, namespace, key string) (Revision, error) {
	if err := r.store.DeleteKV(ctx, namespace, key); err != nil {
		return 0, fmt.Errorf("delete %s/%s: %w", namespace, key, err)
	}
	return r.orderChanged(ctx, namespace, key)
}

// orderChanged raises the revision for the topic whose order configuration,
// which is a part of its route, has changed. If the process ends before it does,
// the change is seen once the routes' time is up (routeTime).
func (r *Registry) orderChanged(ctx context.Context, namespace, topic string) (Revision, error) {
	if namespace != OrderNamespace {
		return 0, nil
	}
	return r.raiseTopic(ctx, topic)
}
