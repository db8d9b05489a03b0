// Delivers mail from the queue with amqplib and nodemailer's pool of 16 kept connections.
//
//     node consumer.js URL QUEUE SMTP_PORT COUNT [nodelay]
//
// Says "done" when COUNT letters are sent and acknowledged. nodemailer never sets TCP_NODELAY, so each of its letters
// waits some 40 ms for a delayed acknowledgement; with "nodelay" its sockets have it, which takes a patch like this one.
'use strict';
const net = require('net');
const amqp = require('amqplib');
const nodemailer = require('nodemailer');

const [url, queue, port, count, nodelay] = process.argv.slice(2);
if (nodelay) {
  const connect = net.connect;
  net.connect = (...args) => connect(...args).setNoDelay(true);
}
const escape = (text) => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

async function main() {
  const mailer = nodemailer.createTransport({
    host: '127.0.0.1',
    port: Number(port),
    secure: false,
    ignoreTLS: true,
    pool: true,
    maxConnections: 16,
    maxMessages: Infinity,
  });
  const connection = await amqp.connect(url, { noDelay: true });
  const channel = await connection.createChannel();
  // As many in hand as the pool has connections, and as many waiting behind them.
  await channel.prefetch(32);
  let done = 0;
  await channel.consume(queue, async (message) => {
    const told = JSON.parse(message.content.toString('utf8'));
    const data = told.template_data;
    await mailer.sendMail({
      from: told.from_email || 'noreply@example.com',
      to: told.to_email,
      subject: told.subject || data.title,
      text: data.message,
      html: data.html_content || `<h1>${escape(data.title || '')}</h1><p>${escape(data.message)}</p>`,
    });
    channel.ack(message);
    if (++done === Number(count)) {
      await channel.close();
      await connection.close();
      mailer.close();
      console.log('done');
    }
  });
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
