package main

import (
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/treewright/treewright/composer"
)

func bootCommand() *cli.Command {
	return &cli.Command{
		Name: "boot", ArgsUsage: "IMAGE", Usage: "boot an image in QEMU and say whether it came up",
		Description: `Shows the serial console and waits for the login prompt or for what --expect names.
The image is not changed. QEMU (qemu-system-x86_64) must be installed; UEFI needs OVMF.`,
		Flags: sharedFlags(
			&cli.StringFlag{Name: "expect", Usage: "`REGEX` on the serial console that tells that the system is up (default: a login prompt)"},
			&cli.StringFlag{Name: "firmware", Value: "bios", Usage: "`KIND` of firmware: bios or uefi"},
			&cli.DurationFlag{Name: "timeout", Value: 10 * time.Minute, Usage: "`TIME` after which the answer is no"},
			&cli.PathFlag{Name: "serial-log", Usage: "also write the serial console to `FILE`"},
			&cli.BoolFlag{Name: "snapshot", Value: true, Usage: "leave the image as it is"},
			&cli.BoolFlag{Name: "quiet", Usage: "do not show the serial console"},
		),
		Action: func(c *cli.Context) error {
			if err := nArgs(c, 1, 1); err != nil {
				return err
			}
			cfg, err := config(c)
			if err != nil {
				return err
			}
			o := composer.BootOptions{
				Config: cfg, Image: c.Args().First(), Expect: c.String("expect"), Firmware: c.String("firmware"),
				Timeout: c.Duration("timeout"), SerialLog: c.Path("serial-log"), Write: !c.Bool("snapshot"),
			}
			if !c.Bool("quiet") {
				o.Console = c.App.ErrWriter
			}
			report, err := composer.Boot(c.Context, o)
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return printJSON(c, report)
			}
			_, err = fmt.Fprintf(c.App.Writer, "up after %.0f s: %s\n", report.Seconds, report.Line)
			return err
		},
	}
}
