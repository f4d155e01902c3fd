#!/bin/bash
# Mounts the one NVMe disk of a chunk server's host, at each start of the host. It is formatted once, when there is nothing on it: a disk
# with our file system is mounted as it is, and one with anything else is left alone. Where it ends with an error, so does the start of
# the agent of ECS: the host takes no chunk server.
set -euo pipefail
LABEL=millrace
MOUNT=/var/lib/millrace/zone
OWNER=1000:1000
DISKS=${MILLRACE_DISKS:-/dev/disk/by-id/nvme-Amazon_EC2_NVMe_Instance_Storage_*}

fail() {
  echo "millrace-zone-disk: $1; this host gets no chunk server" >&2
  exit 1
}

mapfile -t disks < <(for disk in $DISKS; do if [ -e "$disk" ]; then readlink -f "$disk"; fi; done | sort -u)
[ "${#disks[@]}" -ge 1 ] || fail 'there is no NVMe instance store: take an instance type that has one, such as i8g.large'
[ "${#disks[@]}" -eq 1 ] || fail "there are ${#disks[@]} NVMe disks: take an instance type that has one"
disk=${disks[0]}

mkdir -p "$MOUNT"
if mountpoint -q "$MOUNT"; then exit 0; fi

# 0: there is something; 2: there is nothing; whatever else is no answer.
status=0
found=$(blkid -p -o export "$disk") || status=$?
case $status in
  0) grep -qx "LABEL=$LABEL" <<< "$found" || fail "$disk holds something that is not ours: $(tr '\n' ' ' <<< "$found")" ;;
  2) mkfs.xfs -q -L "$LABEL" "$disk" || fail "$disk cannot be formatted" ;;
  *) fail "$disk cannot be read (blkid: $status)" ;;
esac
mount -t xfs -o noatime,nodev,nosuid,noexec "$disk" "$MOUNT" || fail "$disk cannot be mounted"
chown "$OWNER" "$MOUNT"
