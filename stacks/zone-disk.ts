// What a chunk server's host runs at its first start: the script that mounts its disk, as a service that the agent of ECS needs at
// every start, so that without the disk there is no host.

import { readFileSync } from 'node:fs';
import path from 'node:path';

export const ZONE_FOLDER = '/var/lib/millrace/zone';
const SCRIPT = '/usr/local/sbin/millrace-zone-disk';
const UNIT = 'millrace-zone-disk.service';

const SERVICE = `[Unit]
Description=The disk of a zone of Millrace
After=systemd-udev-settle.service
Before=ecs.service docker.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=${SCRIPT}
StandardError=journal+console
[Install]
RequiredBy=ecs.service`;

/** For bash: they end with the first one that fails. */
export function zoneDiskCommands(): readonly string[] {
  const script = readFileSync(path.join(import.meta.dirname, 'zone-disk.sh'), 'utf8');
  const write = (file: string, text: string): string => `cat > ${file} <<'END_OF_FILE'\n${text.trim()}\nEND_OF_FILE`;
  return [
    'set -euo pipefail',
    write(SCRIPT, script),
    `chmod 755 ${SCRIPT}`,
    write(`/etc/systemd/system/${UNIT}`, SERVICE),
    'systemctl daemon-reload',
    `systemctl enable --now ${UNIT}`,
  ];
}
