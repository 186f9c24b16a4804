/*
 * A host of lwIP on a TAP device, from the library as Debian packages it, with the services that the benchmark's client asks for. A
 * thread for each connection, as the library's own interface for programs wants it.
 *
 *     cc -O2 -I/usr/include/lwip -o lwip lwip.c -llwip -lpthread
 *     lwip DEVICE ADDRESS NETMASK            echo on port 7, discard on 9, source on 19; prints "ready"
 */
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lwip/api.h"
#include "lwip/etharp.h"
#include "lwip/ip4_addr.h"
#include "lwip/tcp.h"
#include "lwip/tcpip.h"
#include "netif/ethernet.h"

static int device;
static struct netif host;
static char zeros[65536];

static err_t transmit(struct netif *netif, struct pbuf *packet)
{
  char frame[1600];
  (void)netif;
  pbuf_copy_partial(packet, frame, packet->tot_len, 0);
  return write(device, frame, packet->tot_len) < 0 ? ERR_IF : ERR_OK;
}

static err_t begin(struct netif *netif)
{
  static const u8_t mac[6] = {2, 0, 0, 0, 0, 9};
  memcpy(netif->hwaddr, mac, 6);
  netif->hwaddr_len = 6;
  netif->mtu = 1500;
  netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_LINK_UP;
  netif->output = etharp_output;
  netif->linkoutput = transmit;
  return ERR_OK;
}

static void receive(void *unused)
{
  char frame[1600];
  (void)unused;
  for (;;) {
    ssize_t length = read(device, frame, sizeof frame);
    if (length <= 0) exit(1);
    /* Not of the pool, as a driver would: that of Debian's library 2.1.3 overruns its memory. */
    struct pbuf *packet = pbuf_alloc(PBUF_RAW, length, PBUF_RAM);
    if (packet == NULL) continue;
    pbuf_take(packet, frame, length);
    if (host.input(packet, &host) != ERR_OK) pbuf_free(packet);
  }
}

/* One piece of what was received; returns its length, and -1 at the end. */
static int next(struct netconn *connection, char *into, int room, int wants)
{
  struct pbuf *pieces;
  if (netconn_recv_tcp_pbuf(connection, &pieces) != ERR_OK) return -1;
  int length = pieces->tot_len;
  if (wants) pbuf_copy_partial(pieces, into, length < room ? length : room, 0);
  pbuf_free(pieces);
  return length;
}

static void echo(void *argument)
{
  struct netconn *connection = argument;
  static __thread char bytes[65536];
  int length;
  while ((length = next(connection, bytes, sizeof bytes, 1)) >= 0)
    netconn_write(connection, bytes, length, NETCONN_COPY);
  netconn_close(connection);
  netconn_delete(connection);
}

static void discard(void *argument)
{
  struct netconn *connection = argument;
  while (next(connection, NULL, 0, 0) >= 0)
    ;
  netconn_close(connection);
  netconn_delete(connection);
}

static void source(void *argument)
{
  struct netconn *connection = argument;
  unsigned char request[8] = {0};
  unsigned long long count = 0;
  if (next(connection, (char *)request, 8, 1) == 8) {
    for (int i = 0; i < 8; i++) count = count << 8 | request[i];
    while (count > 0) {
      size_t part = count < sizeof zeros ? count : sizeof zeros;
      if (netconn_write(connection, zeros, part, NETCONN_NOCOPY) != ERR_OK) break;
      count -= part;
    }
  }
  netconn_close(connection);
  netconn_delete(connection);
}

struct service {
  u16_t port;
  void (*serve)(void *);
};

static void listen_for(void *argument)
{
  const struct service *service = argument;
  struct netconn *listener = netconn_new(NETCONN_TCP), *connection;
  netconn_bind(listener, IP_ADDR_ANY, service->port);
  netconn_listen(listener);
  while (netconn_accept(listener, &connection) == ERR_OK) {
    tcp_nagle_disable(connection->pcb.tcp);
    sys_thread_new("connection", service->serve, connection, 0, 0);
  }
}

static void started(void *flag)
{
  sys_sem_signal(flag);
}

int main(int count, char **arguments)
{
  static struct service services[] = {{7, echo}, {9, discard}, {19, source}};
  struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
  ip4_addr_t address, netmask, gateway = {0};
  sys_sem_t ready;
  if (count != 4 || !ip4addr_aton(arguments[2], &address) || !ip4addr_aton(arguments[3], &netmask)) return 2;
  strncpy(request.ifr_name, arguments[1], IFNAMSIZ - 1);
  device = open("/dev/net/tun", O_RDWR);
  if (device < 0 || ioctl(device, TUNSETIFF, &request) < 0) {
    perror(arguments[1]);
    return 1;
  }
  sys_sem_new(&ready, 0);
  tcpip_init(started, &ready);
  sys_sem_wait(&ready);
  LOCK_TCPIP_CORE();
  netif_add(&host, &address, &netmask, &gateway, NULL, begin, tcpip_input);
  netif_set_default(&host);
  netif_set_up(&host);
  UNLOCK_TCPIP_CORE();
  sys_thread_new("receive", receive, NULL, 0, 0);
  for (int i = 0; i < 3; i++) sys_thread_new("listener", listen_for, &services[i], 0, 0);
  puts("ready");
  fflush(stdout);
  for (;;) pause();
}
