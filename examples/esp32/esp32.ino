// A reading every five seconds from an ESP32 to Zelador: lux (BH1750), temperature and vibration (MPU6050), both on I2C.
//
// Arduino core for the ESP32 3.x; no further library: Wire, WiFi and the MQTT client are part of it. It publishes at QoS 1,
// with the time by NTP and a number, so that Zelador knows a reading that arrives twice, and sees one that never arrived.
#include <WiFi.h>
#include <Wire.h>
#include <mqtt_client.h>
#include <time.h>

const char *WIFI_NAME = "plant", *WIFI_PASSWORD = "...";
const char *BROKER = "mqtt://192.168.1.10:1883";  // the address and port that `zelador up --listen` shows
const char *DEVICE = "esp01", *PASSWORD = "...";  // zelador devices password esp01
const int EVERY_MS = 5000, SAMPLES = 100;
const uint8_t BH1750 = 0x23, MPU6050 = 0x68;

esp_mqtt_client_handle_t client;
uint32_t number = 0;

void command(uint8_t device, std::initializer_list<uint8_t> bytes) {
  Wire.beginTransmission(device);
  for (uint8_t each : bytes) Wire.write(each);
  Wire.endTransmission();
}

int16_t word16() { int high = Wire.read(); return (int16_t)(high << 8 | Wire.read()); }

float lux() {
  if (Wire.requestFrom(BH1750, (uint8_t)2) != 2) return NAN;
  return (uint16_t)word16() / 1.2;
}

// The mean of | |a| - 1 g | over some samples, in g, and the temperature beside the sensor, in °C.
bool motion(float &vibration, float &temperature) {
  float sum = 0;
  for (int i = 0; i < SAMPLES; i++) {
    command(MPU6050, {0x3B});
    if (Wire.requestFrom(MPU6050, (uint8_t)8) != 8) return false;
    float x = word16() / 16384.0, y = word16() / 16384.0, z = word16() / 16384.0;
    temperature = word16() / 340.0 + 36.53;
    sum += fabs(sqrt(x * x + y * y + z * z) - 1.0);
    delay(2);
  }
  vibration = sum / SAMPLES;
  return true;
}

void setup() {
  Serial.begin(115200);
  Wire.begin();
  command(BH1750, {0x10});         // continuous, 1 lx
  command(MPU6050, {0x6B, 0x00});  // wake up, ±2 g
  WiFi.begin(WIFI_NAME, WIFI_PASSWORD);
  while (WiFi.status() != WL_CONNECTED) delay(200);
  configTime(0, 0, "pool.ntp.org");
  esp_mqtt_client_config_t config = {};
  config.broker.address.uri = BROKER;
  config.credentials.username = DEVICE;
  config.credentials.client_id = DEVICE;
  config.credentials.authentication.password = PASSWORD;
  config.session.disable_clean_session = true;  // what is not acknowledged is sent again
  client = esp_mqtt_client_init(&config);
  esp_mqtt_client_start(client);
}

void loop() {
  float vibration, temperature, light = lux();
  // A sensor that does not answer sends nothing: NaN is not JSON, and -127 °C is not a temperature.
  if (motion(vibration, temperature) && !isnan(light)) {
    char topic[64], body[200], when[40] = "";
    time_t now = time(nullptr);
    if (now > 1700000000) {  // the clock is set; otherwise the time of receipt counts
      snprintf(when, sizeof when, ",\"ts\":%lld", (long long)now);
    }
    snprintf(topic, sizeof topic, "sensors/%s/reading", DEVICE);
    snprintf(body, sizeof body, "{\"lux\":%.1f,\"temperature\":%.2f,\"vibration\":%.4f,\"seq\":%lu%s}", light, temperature,
             vibration, (unsigned long)++number, when);
    esp_mqtt_client_enqueue(client, topic, body, 0, 1, 0, true);
    Serial.println(body);
  }
  delay(EVERY_MS);
}
