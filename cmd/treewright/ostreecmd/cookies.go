package ostreecmd

import (
	"context"
	"time"

	"github.com/treewright/treewright/pkg/ostree/repo"
)

// cookieYears is how long a cookie lasts.
const cookieYears = 25

func addCookieCommand() *command {
	c := newCommand("add-cookie", "NAME DOMAIN PATH COOKIE_NAME VALUE", "Send a cookie to a remote")
	c.run = func(_ context.Context, e *env) error {
		r, err := e.open()
		if err != nil {
			return err
		}
		if len(e.args) < 5 {
			return usagef("NAME, DOMAIN, PATH, COOKIE_NAME and VALUE must be specified")
		}
		now, err := e.now()
		if err != nil {
			return err
		}
		a := e.args
		expires := now.AddDate(cookieYears, 0, 0).Unix()
		return r.AddCookie(a[0], repo.Cookie{Domain: a[1], Path: a[2], Name: a[3], Value: a[4], Expires: uint64(expires)})
	}
	return c
}

func deleteCookieCommand() *command {
	c := newCommand("delete-cookie", "NAME DOMAIN PATH COOKIE_NAME", "No longer send a cookie to a remote")
	c.run = func(_ context.Context, e *env) error {
		r, err := e.open()
		if err != nil {
			return err
		}
		if len(e.args) < 4 {
			return usagef("NAME, DOMAIN, PATH and COOKIE_NAME must be specified")
		}
		return r.DeleteCookie(e.args[0], e.args[1], e.args[2], e.args[3])
	}
	return c
}

func listCookiesCommand() *command {
	c := newCommand("list-cookies", "NAME", "Show the cookies that a remote is sent")
	c.run = func(_ context.Context, e *env) error {
		r, err := e.open()
		if err != nil {
			return err
		}
		if len(e.args) < 1 {
			return usagef("NAME must be specified")
		}
		cookies, err := r.Cookies(e.args[0])
		if err != nil {
			return err
		}
		for _, c := range cookies {
			secure := "no"
			if c.Secure {
				secure = "yes"
			}
			e.printf("--\nDomain: %s\nPath: %s\nName: %s\nSecure: %s\nExpires: %s\nValue: %s\n",
				c.Domain, c.Path, c.Name, secure, time.Unix(int64(c.Expires), 0).UTC().Format("2006-01-02 15:04:05 -0700"), c.Value)
		}
		return nil
	}
	return c
}
